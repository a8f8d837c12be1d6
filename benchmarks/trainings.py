"""Trainings that know nothing of vramtop, for `observing.py`: a fixed number of steps, timed.

    python benchmarks/trainings.py mlp|transformer|lightning DEVICE STEPS CORE

It runs on this core of the processor alone. Prints as JSON: seconds and seconds of the processor
that the steps took, the first tenth apart, and a digest of the weights at the end.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy


class Clock:
    """Times the steps after the first tenth."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self._begin = steps // 10
        self._done = 0

    def tick(self) -> None:
        """A step has ended."""
        self._done += 1
        if self._done == self._begin:
            self._wall, self._cpu = time.perf_counter(), time.process_time()
        elif self._done == self.steps:
            self.wall = time.perf_counter() - self._wall
            self.cpu = time.process_time() - self._cpu


def mlp(device: str, clock: Clock) -> nn.Module:
    """The lesson's MLP with Adam, 64 images a step."""
    model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10)).to(device)
    _train(model, lambda: _images(device), clock)
    return model


def transformer(device: str, clock: Clock) -> nn.Module:
    """A transformer of four layers with AdamW, 8 sequences of 64 tokens a step."""
    model = transformer_of(4).to(device)
    _train(model, lambda: _tokens(device), clock)
    return model


def transformer_of(layers: int) -> nn.Module:
    """A transformer from int64 tokens (N, L) to the logits of 1,000 words, float32 (N, L, 1000)."""
    layer = nn.TransformerEncoderLayer(128, 4, 512, batch_first=True)
    encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
    return nn.Sequential(nn.Embedding(1000, 128), encoder, nn.Linear(128, 1000))


def lightning(device: str, clock: Clock) -> nn.Module:
    """The same MLP under Lightning's trainer."""
    import lightning as L  # noqa: N812 - as its documentation imports it

    class Module(L.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))

        def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
            inputs, targets = batch
            return cross_entropy(self.layers(inputs), targets)

        def on_train_batch_end(self, *_: object) -> None:
            clock.tick()

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters())

    class Batches(torch.utils.data.IterableDataset[tuple[Tensor, Tensor]]):
        def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
            for _ in range(clock.steps):
                yield _images("cpu")

    module = Module()
    trainer = L.Trainer(
        max_epochs=1,
        accelerator="gpu" if device == "cuda" else "cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, torch.utils.data.DataLoader(Batches(), batch_size=None))
    return module


def _train(model: nn.Module, batch: Callable[[], tuple[Tensor, Tensor]], clock: Clock) -> None:
    optimizer = torch.optim.AdamW(model.parameters())
    for _ in range(clock.steps):
        inputs, targets = batch()
        loss = cross_entropy(model(inputs).flatten(0, -2), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        clock.tick()


def _images(device: str) -> tuple[Tensor, Tensor]:
    return torch.randn(64, 784).to(device), torch.randint(0, 10, (64,)).to(device)


def _tokens(device: str) -> tuple[Tensor, Tensor]:
    tokens = torch.randint(0, 1000, (8, 64)).to(device)
    return tokens, tokens


TRAININGS = {"mlp": mlp, "transformer": transformer, "lightning": lightning}


def main(name: str, device: str, steps: str, core: str) -> None:
    """Train, and print what it took."""
    if sys.platform == "linux":
        os.sched_setaffinity(0, {int(core)})
    warnings.simplefilter("ignore")
    torch.manual_seed(42)
    clock = Clock(int(steps))
    model = TRAININGS[name](device, clock)
    digest = hashlib.sha256()
    for parameter in model.parameters():
        digest.update(parameter.detach().cpu().numpy().tobytes())
    print(json.dumps({"wall": clock.wall, "cpu": clock.cpu, "digest": digest.hexdigest()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
