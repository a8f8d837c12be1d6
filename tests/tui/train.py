"""A small transformer on text, as anybody might write it: `python tests/tui/train.py DEVICE STEPS`.

It knows nothing of vramtop. `tools/program_session.py` records a session of it.
"""

import sys
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

WIDTH, BLOCKS, BATCH, CONTEXT = 256, 4, 16, 128


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.attention = nn.MultiheadAttention(WIDTH, 8, batch_first=True)
        self.mlp = nn.Sequential(
            nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH)
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(x)


class Transformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bytes = nn.Embedding(256, WIDTH)
        self.places = nn.Embedding(CONTEXT, WIDTH).requires_grad_(False)
        self.blocks = nn.Sequential(*[Block() for _ in range(BLOCKS)])
        self.head = nn.Linear(WIDTH, 256)

    def forward(self, text: Tensor) -> Tensor:
        x = self.bytes(text) + self.places.weight
        return self.head(self.blocks(x))


def main(device: str, steps: int) -> None:
    text = torch.frombuffer(bytearray(Path(__file__).read_bytes()), dtype=torch.uint8).long()
    model = Transformer().to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    losses = []
    began = time.perf_counter()
    for step in range(1, steps + 1):
        starts = torch.randint(len(text) - CONTEXT - 1, (BATCH,)).tolist()
        inputs = torch.stack([text[at : at + CONTEXT] for at in starts]).to(device)
        targets = torch.stack([text[at + 1 : at + 1 + CONTEXT] for at in starts]).to(device)
        loss = cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss)
        if step % 50 == 0:
            print(f"step {step:,}: {step / (time.perf_counter() - began):.1f} steps/s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
