"""The search for the largest batch beside Lightning's BatchSizeFinder and accelerate's.

    python benchmarks/fit.py [BUDGET …]

All train the same MLP with Adam on the same images, within the same emulated budgets: the ledger
raises PyTorch's OutOfMemoryError where a step would hold more bytes. Lightning and accelerate must
be installed, each is left out where it is not. The true maximum is that of the closed forms.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import time
import warnings
from collections.abc import Callable

import torch
from vramtop.trainer import search
from vramtop.trainer.datasets import Library
from vramtop.trainer.protocol import Timed
from vramtop.trainer.settings import Settings, parse_size
from vramtop.trainer.training import Training

CPU = torch.device("cpu")
P, W = 407_080, 401_408
IMAGES = Library(None).load("mnist")


def truth(budget: int) -> int:
    """The largest batch of MNIST's MLP with Adam in a plain loop, by the ledger's closed forms."""

    def fits(b: int) -> bool:
        phases = max(1_576 * b + 5_168, 552 * b + P + 8, P + 40 * b + 4 + 2 * W)
        return 3 * P + 16 + 3_144 * b + phases <= budget

    return max((b for b in range(1, len(IMAGES.train) + 1) if fits(b)), default=0)


class Tries:
    """Real steps within the budget, counted."""

    def __init__(self, budget: int) -> None:
        self.steps = self.shortages = 0
        self._budget = budget
        self._training = Training(Settings(budget=budget), IMAGES, CPU)
        self._training.step(1, self._training.ledger.record(budget))  # makes Adam's state

    def step(self, batch_size: int) -> None:
        """One more; raises `OutOfMemoryError`."""
        self.steps += 1
        self._training.batches.seek(1, 0)
        try:
            self._training.step(batch_size, self._training.ledger.record(self._budget))
        except torch.OutOfMemoryError:
            self.shortages += 1
            self._training.drop_step()
            # The words by which Lightning and accelerate know a shortage.
            raise RuntimeError("CUDA out of memory.") from None


class _Untimed(search.Search):
    def _speeds(self, largest: int) -> tuple[Timed, ...]:
        return (Timed(largest, 1.0),)


def ours(budget: int, _: Tries) -> tuple[int, int, int]:
    """Foretold, then proved; speeds are left out, since the others measure none."""
    training = Training(Settings(budget=budget), IMAGES, CPU)
    found = _Untimed(training, Settings(budget=budget), lambda _: None, lambda: None).run()
    return found.max_batch_size, found.trial_steps, found.oom_trials


def accelerate(_: int, tries: Tries) -> tuple[int, int, int]:
    """It begins with all images and takes nine tenths, or half, until one fits."""
    from accelerate.utils import find_executable_batch_size

    @find_executable_batch_size(starting_batch_size=len(IMAGES.train))
    def run(batch_size: int) -> int:
        tries.step(batch_size)
        return batch_size

    return run(), tries.steps, tries.shortages


def lightning(mode: str) -> Callable[[int, Tries], tuple[int, int, int]]:
    """Its tuner, which runs a few steps of each size it tries."""

    def find(_: int, tries: Tries) -> tuple[int, int, int]:
        from lightning.pytorch import LightningDataModule, LightningModule, Trainer
        from lightning.pytorch.tuner import Tuner
        from torch.utils.data import DataLoader, TensorDataset

        rows = TensorDataset(torch.arange(len(IMAGES.train)))

        class Data(LightningDataModule):
            batch_size = 2

            def train_dataloader(self) -> DataLoader[tuple[torch.Tensor, ...]]:
                return DataLoader(rows, self.batch_size)

        class Model(LightningModule):
            def __init__(self) -> None:
                super().__init__()
                self.weight = torch.nn.Parameter(torch.zeros(()))  # its tuner counts updates

            def training_step(self, batch: list[torch.Tensor]) -> torch.Tensor:
                tries.step(len(batch[0]))
                return self.weight * 1

            def configure_optimizers(self) -> torch.optim.Optimizer:
                return torch.optim.SGD(self.parameters(), lr=0.1)

        folder = tempfile.mkdtemp()
        trainer = Trainer(
            accelerator="cpu",
            max_epochs=1,
            default_root_dir=folder,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
        size = Tuner(trainer).scale_batch_size(Model(), datamodule=Data(), mode=mode, max_trials=25)
        return size or 0, tries.steps, tries.shortages

    return find


FINDERS: dict[str, Callable[[int, Tries], tuple[int, int, int]]] = {
    "vramtop fit": ours,
    "accelerate": accelerate,
    "Lightning power": lightning("power"),
    "Lightning binsearch": lightning("binsearch"),
}


def main() -> None:
    """A table a budget."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    for text in sys.argv[1:] or ["4MiB", "8MiB", "24MiB"]:
        budget, best = parse_size(text), truth(parse_size(text))
        print(f"\n{text}: the largest batch is {best:,}\n")
        print(
            f"{'':<20}{'found':>8}{'short of it':>13}{'real steps':>12}{'of them OOM':>13}{'s':>8}"
        )
        for name, find in FINDERS.items():
            tries, began = Tries(budget), time.perf_counter()
            try:
                size, steps, shortages = find(budget, tries)
            except ImportError as missing:
                print(f"{name:<20}{missing}")
                continue
            taken = time.perf_counter() - began
            print(f"{name:<20}{size:>8,}{best - size:>13,}{steps:>12}{shortages:>13}{taken:>8.2f}")


if __name__ == "__main__":
    main()
