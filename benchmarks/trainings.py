"""Trainings that know nothing of vramtop, for `observing.py`: a fixed number of steps.

    python benchmarks/trainings.py mlp|transformer|deep|lightning DEVICE STEPS CORE TIMES

It runs on this core of the processor alone. The file TIMES gets the `time.monotonic()` at the end
of each step, as float64, then the `time.process_time()` of each. Prints a digest of the weights at
the end.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import time
import warnings
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy


class Clock:
    """The ends of all steps. SIGUSR2 ends the training after the present step.

    A SIGTERM would let Lightning end the process.
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.ends, self.ran = array("d"), array("d")
        signal.signal(signal.SIGUSR2, self._stop)

    def tick(self) -> None:
        """A step has ended."""
        self.ends.append(time.monotonic())
        self.ran.append(time.process_time())

    def left(self) -> Iterator[int]:
        """The steps that are to come."""
        for step in range(self.steps):
            if step >= self.steps:
                return
            yield step

    def _stop(self, *_: object) -> None:
        self.steps = 0


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


def deep(device: str, clock: Clock) -> nn.Module:
    """The same with 48 layers."""
    model = transformer_of(48).to(device)
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
            for _ in clock.left():
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
    for _ in clock.left():
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


TRAININGS = {"mlp": mlp, "transformer": transformer, "deep": deep, "lightning": lightning}


def main(name: str, device: str, steps: str, core: str, times: str) -> None:
    """Train, write when each step ended, and print the digest."""
    if sys.platform == "linux":
        os.sched_setaffinity(0, {int(core)})
    warnings.simplefilter("ignore")
    torch.manual_seed(42)
    clock = Clock(int(steps))
    model = TRAININGS[name](device, clock)
    Path(times).write_bytes((clock.ends + clock.ran).tobytes())
    digest = hashlib.sha256()
    for parameter in model.parameters():
        digest.update(parameter.detach().cpu().numpy().tobytes())
    print(digest.hexdigest())


if __name__ == "__main__":
    main(*sys.argv[1:])
