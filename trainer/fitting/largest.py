"""Which batch size would have fitted where one did not, by prediction alone."""

from __future__ import annotations

from collections.abc import Generator

import msgspec
import torch
from vramtop.protocol.lesson.messages import WouldFit
from vramtop.protocol.lesson.settings import Settings
from vramtop.trainer.device import memory

from .bisection import stepwise
from .gpu_traits import gpu_traits
from .judge import FitJudge
from .predictor import Shape

_BATCHES = 3  # a step of more accumulated batches holds no more than one of three


class LargestFitSearch:
    """Finds the largest batch size that fits, where that of `settings` ran out of memory.

    `most` is the largest size that the number of images allows. A verdict takes some milliseconds.
    Each call of `go_on` takes one verdict, so that the training can continue between the calls.
    """

    def __init__(self, settings: Settings, shape: Shape, device: torch.device, most: int) -> None:
        self._settings = settings
        self._limit = memory.limit(device, settings.budget)
        self._gpu = gpu_traits(device)
        self._search = self._judgements(shape, device, most)

    def go_on(self) -> WouldFit | None:
        """Predict one more size; the answer if that was the last one."""
        try:
            next(self._search)
        except StopIteration as end:
            largest, at_best = end.value
        except Exception:  # a failed prediction must not end the training
            largest = at_best = None
        else:
            return None
        unmodelled = self._gpu.unmodelled if self._gpu else ()
        return WouldFit(self._settings, self._limit, largest, at_best, unmodelled)

    def _judgements(
        self, shape: Shape, device: torch.device, most: int
    ) -> Generator[None, None, tuple[int | None, int | None]]:
        accumulation = min(self._settings.accumulation, _BATCHES)
        settings = msgspec.structs.replace(self._settings, accumulation=accumulation)
        judge = FitJudge(settings, shape, device.type, self._gpu, self._limit)
        yield
        failed = settings.batch_size
        if judge.verdict(failed).fits:
            return None, None  # the prediction does not explain the failure
        # The same bounds as in `vramtop fit`, since not every size below a fitting one fits.
        largest = yield from stepwise(lambda size: judge.verdict(size).fits, 0, most + 1)
        if largest > failed:
            largest = yield from stepwise(lambda size: judge.verdict(size).fits, 0, failed)
        at_best = yield from stepwise(lambda size: judge.verdict(size).at_best, largest, failed)
        return largest, at_best


def largest_below(settings: Settings, shape: Shape, device: torch.device) -> int | None:
    """The largest batch size that fits, where that of `settings` does not; 0 if none does.

    None where the prediction does not explain the failure.
    """
    size = settings.batch_size
    limit = memory.limit(device, settings.budget)
    try:
        judge = FitJudge(settings, shape, device.type, gpu_traits(device), limit)
        return None if judge.verdict(size).fits else judge.largest(size - 1)
    except Exception:  # a failed prediction must not end the training
        return None
