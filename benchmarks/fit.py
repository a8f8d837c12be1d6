"""The search for the largest batch beside Lightning's BatchSizeFinder and accelerate's.

    python benchmarks/fit.py [BUDGET …]

All train the same MLP with Adam on the same images, within the same emulated budgets. The true
maximum comes from closed forms, and the ledger must agree: that size fits, the next one does not.
For the other finders, a step that would exceed the budget raises before it begins, and one that
fits is a plain step, so that none of their time is spent on recording. Lightning and accelerate are
left out where they are not installed.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from vramtop.protocol.lesson.messages import Timed, Tried
from vramtop.protocol.lesson.settings import Settings, parse_size
from vramtop.trainer.data.datasets import Library
from vramtop.trainer.fitting.search import Search
from vramtop.trainer.training.training import Training
from vramtop.trainer.training.watcher import Unwatched

CPU = torch.device("cpu")
P, W = 407_080, 401_408
IMAGES = Library(None).load("mnist")


def fits(b: int, budget: int) -> bool:
    """Whether a step on `b` images of MNIST holds at most `budget` bytes: MLP, Adam, plain loop."""
    phases = max(1_576 * b + 5_168, 552 * b + P + 8, P + 40 * b + 4 + 2 * W)
    return 3 * P + 16 + 3_144 * b + phases <= budget


def truth(budget: int) -> int:
    """The largest batch within `budget` bytes, by the closed form and by the ledger."""
    best = max((b for b in range(1, len(IMAGES.train) + 1) if fits(b, budget)), default=0)
    training = Training(Settings(), IMAGES, CPU)
    training.step(1, Unwatched())  # makes Adam's state
    for size in (best, min(best + 1, len(IMAGES.train))):
        recording = training.ledger.record()
        training.batches.seek(1, 0)
        training.step(size, recording)
        held = recording.anatomy().peak.bytes
        if (held <= budget) != fits(size, budget):
            sys.exit(f"the closed form is wrong: {size:,} images hold {held:,} B of {budget:,} B")
    return best


class Tries:
    """Real steps within the budget, counted, for the finders that try sizes."""

    def __init__(self, budget: int) -> None:
        self.steps = self.failures = 0
        self._budget = budget
        self._training = Training(Settings(), IMAGES, CPU)
        self._training.step(1, Unwatched())  # makes Adam's state

    def step(self, batch_size: int) -> None:
        """Take one more; where it does not fit, raise the error that the finders recognise."""
        self.steps += 1
        if not fits(batch_size, self._budget):
            self.failures += 1
            raise RuntimeError("CUDA out of memory.")
        self._training.batches.seek(1, 0)
        self._training.step(batch_size, Unwatched())


@dataclass(frozen=True)
class Result:
    """The size that a finder found, its real steps, and the seconds until it knew."""

    size: int
    steps: int
    failures: int
    seconds: float


def ours(budget: int, _: Tries) -> Result:
    """Predicted, then proved. It measures speeds after the proof, which is not timed here."""
    training = Training(Settings(budget=budget), IMAGES, CPU)
    tried: list[float] = []
    began = time.perf_counter()

    def tell(message: Tried | Timed) -> None:
        if isinstance(message, Tried):
            tried.append(time.perf_counter() - began)

    found = Search(training, Settings(budget=budget), tell, lambda: None).run()
    if len(tried) != found.trial_steps:
        sys.exit(f"{len(tried)} real steps were reported, and {found.trial_steps} counted")
    return Result(found.max_batch_size, found.trial_steps, found.oom_trials, tried[-1])


def timed(find: Callable[[Tries], int]) -> Callable[[int, Tries], Result]:
    """A finder by real steps alone."""

    def run(_: int, tries: Tries) -> Result:
        began = time.perf_counter()
        size = find(tries)
        return Result(size, tries.steps, tries.failures, time.perf_counter() - began)

    return run


def accelerate(tries: Tries) -> int:
    """It begins with all images and shrinks to nine tenths, or to half, until a size fits."""
    from accelerate.utils import find_executable_batch_size

    @find_executable_batch_size(starting_batch_size=len(IMAGES.train))
    def run(batch_size: int) -> int:
        tries.step(batch_size)
        return batch_size

    found: int = run()
    return found


def lightning(mode: str) -> Callable[[Tries], int]:
    """Its tuner, which runs a few steps of each size it tries."""

    def find(tries: Tries) -> int:
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
        return size or 0

    return find


FINDERS: dict[str, Callable[[int, Tries], Result]] = {
    "vramtop fit": ours,
    "accelerate": timed(accelerate),
    "Lightning power": timed(lightning("power")),
    "Lightning binsearch": timed(lightning("binsearch")),
}


def main() -> None:
    """A table a budget."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    for text in sys.argv[1:] or ["4MiB", "8MiB", "24MiB"]:
        budget = parse_size(text)
        best = truth(budget)
        print(f"\n{text}: the largest batch is {best:,}\n")
        print(
            f"{'':<20}{'found':>8}{'short of it':>13}{'real steps':>12}{'of them OOM':>13}{'s':>8}"
        )
        for name, find in FINDERS.items():
            try:
                result = find(budget, Tries(budget))
            except ImportError as missing:
                print(f"{name:<20}{missing}")
                continue
            if find is ours and result.size > best:
                sys.exit(f"{name} found {result.size:,}, which does not fit")
            short = f"{best - result.size:,}" if result.size <= best else "too large"
            print(
                f"{name:<20}{result.size:>8,}{short:>13}{result.steps:>12}"
                f"{result.failures:>13}{result.seconds:>8.2f}"
            )


if __name__ == "__main__":
    main()
