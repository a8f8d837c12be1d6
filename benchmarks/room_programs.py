"""Trainings of different kinds, for `room.py`: `room_programs.py NAME SECONDS ROWS [ROWS ...]`.

Each takes batches of any number of rows. They run on a GPU that is simulated as well: they use
nothing of cuDNN, and no embedding, whose backward pass sorts many words, which is not simulated.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

Step = Callable[[int], None]  # one training step with so many rows

CLASSES, WORDS, FEATURES, WIDTH, LENGTHS = 10, 500, 32, 128, (64, 48, 32)

torch.backends.cudnn.enabled = False


def _numbers(rows: int, *shape: int) -> tuple[Tensor, Tensor]:
    inputs = torch.randn(rows, *shape).cuda()
    return inputs, torch.zeros(rows, dtype=torch.int64).cuda()


def _sentences(rows: int, length: int) -> tuple[Tensor, Tensor]:
    inputs = torch.randn(rows, length, FEATURES).cuda()
    return inputs, torch.zeros(rows * length, dtype=torch.int64).cuda()


def _step(
    model: nn.Module, make: Callable[..., torch.optim.Optimizer], *shape: int, **options: object
) -> Step:
    model.cuda()
    optimizer = make([each for each in model.parameters() if each.requires_grad], 1e-3, **options)

    def step(rows: int) -> None:
        inputs, targets = _numbers(rows, *shape)
        optimizer.zero_grad()
        cross_entropy(model(inputs), targets).backward()
        optimizer.step()

    return step


# ---- networks -------------------------------------------------------------------------------


def _mlp() -> nn.Sequential:
    hidden = [layer for _ in range(3) for layer in (nn.Linear(512, 512), nn.ReLU())]
    return nn.Sequential(nn.Linear(784, 512), nn.ReLU(), *hidden, nn.Linear(512, CLASSES))


def _convolutions(*, norm: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in ((3, 16), (16, 32), (32, 32)):
        layers.append(nn.Conv2d(before, after, 3, padding=1))
        layers += [nn.BatchNorm2d(after)] if norm else []
        layers += [nn.ReLU(inplace=True), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * 4 * 4, CLASSES))


def _encoder(layers: int = 3) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(WIDTH, 4, 4 * WIDTH, batch_first=True, norm_first=True)
    return nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)


class _Language(nn.Module):
    """Vectors through an encoder to words, its layers computed again in backward if asked for."""

    def __init__(self, *, again: bool = False) -> None:
        super().__init__()
        self.words, self.head = nn.Linear(FEATURES, WIDTH), nn.Linear(WIDTH, WORDS)
        self.encoder, self.again = _encoder(), again

    def forward(self, words: Tensor) -> Tensor:
        values = self.words(words)
        for layer in self.encoder.layers:
            values = checkpoint(layer, values, use_reentrant=False) if self.again else layer(values)
        return self.head(values)


class _Recurrent(nn.Module):
    """Sequences through an LSTM, of which the last output counts."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(64, 128, 2, batch_first=True), nn.Linear(128, CLASSES)

    def forward(self, values: Tensor) -> Tensor:
        return self.head(self.lstm(values)[0][:, -1])


class _LowRank(nn.Module):
    """A frozen layer with a product of two narrow matrices beside it."""

    def __init__(self, frozen: nn.Linear) -> None:
        super().__init__()
        self.frozen = frozen.requires_grad_(requires_grad=False)
        self.down = nn.Linear(frozen.in_features, 8, bias=False)
        self.up = nn.Linear(8, frozen.out_features, bias=False)

    def forward(self, values: Tensor) -> Tensor:
        return self.frozen(values) + self.up(self.down(values))


# ---- trainings ------------------------------------------------------------------------------


def _language(model: nn.Module, lengths: tuple[int, ...]) -> Step:
    model.cuda()
    optimizer = torch.optim.AdamW(model.parameters())
    lengths_in_turn = random.Random(1)

    def step(rows: int) -> None:
        length = lengths[0] if len(lengths) == 1 else lengths_in_turn.choice(lengths)
        inputs, targets = _sentences(rows, length)
        optimizer.zero_grad()
        cross_entropy(model(inputs).flatten(0, 1), targets).backward()
        optimizer.step()

    return step


def _mixed() -> Step:
    model = _Language().cuda()
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cuda")

    def step(rows: int) -> None:
        inputs, targets = _sentences(rows, LENGTHS[0])
        optimizer.zero_grad()
        with torch.autocast("cuda", torch.float16):
            loss = cross_entropy(model(inputs).flatten(0, 1), targets)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    return step


def _accumulation() -> Step:
    model = _mlp().cuda()
    optimizer = torch.optim.Adam(model.parameters())

    def step(rows: int) -> None:
        optimizer.zero_grad()
        for _ in range(4):
            inputs, targets = _numbers(rows, 784)
            (cross_entropy(model(inputs), targets) / 4).backward()
        optimizer.step()

    return step


def _low_rank() -> Step:
    layers = [layer for _ in range(4) for layer in (_LowRank(nn.Linear(1024, 1024)), nn.GELU())]
    return _step(nn.Sequential(*layers, nn.Linear(1024, CLASSES)), torch.optim.AdamW, 1024)


_momentum = partial(torch.optim.SGD, momentum=0.9)

PROGRAMS: dict[str, Callable[[], Step]] = {
    "MLP, Adam": lambda: _step(_mlp(), torch.optim.Adam, 784),
    "MLP, SGD": lambda: _step(_mlp(), torch.optim.SGD, 784),
    "CNN, momentum": lambda: _step(_convolutions(norm=False), _momentum, 3, 32, 32),
    "CNN, BatchNorm": lambda: _step(_convolutions(norm=True), torch.optim.RMSprop, 3, 32, 32),
    "transformer, lengths vary": lambda: _language(_Language(), LENGTHS),
    "transformer, autocast": _mixed,
    "transformer, checkpointed": lambda: _language(_Language(again=True), LENGTHS[:1]),
    "MLP, accumulation": _accumulation,
    "LSTM": lambda: _step(_Recurrent(), torch.optim.Adam, 20, 64),
    "LoRA by hand": _low_rank,
}


def fits(name: str, rows: int, steps: int = 6) -> bool:
    """Whether some steps of this training with so many rows run in the GPU's memory."""
    try:
        step = PROGRAMS[name]()
        for _ in range(steps):
            step(rows)
    except torch.OutOfMemoryError:
        return False
    return True


def main(name: str, seconds: float, *rows: int) -> None:
    """Train so long with each of these numbers of rows."""
    step = PROGRAMS[name]()
    for each in rows:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            step(each)
            time.sleep(0.01)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), *map(int, sys.argv[3:]))
