"""Which batch size would have fitted where one did not, by prediction alone."""

from __future__ import annotations

from collections.abc import Callable, Generator

import msgspec
import torch
from vramtop.protocol.lesson.messages import WouldFit
from vramtop.protocol.lesson.settings import Settings
from vramtop.trainer.device import memory

from .gpu_traits import gpu_traits
from .judge import FitJudge
from .predictor import Shape

_BATCHES = 3  # of a step: those that follow them add nothing to what it holds


class LargestFitSearch:
    """Finds the largest size that `settings`, which ran out of memory on `device`, allow.

    `most` is the largest size there can be, by the number of images.

    A judgement takes some milliseconds. The training that goes on meanwhile is not to stand still
    for all of them, so each is taken by a call of its own.
    """

    def __init__(self, settings: Settings, shape: Shape, device: torch.device, most: int) -> None:
        self._settings = settings
        self._limit = memory.limit(device, settings.budget)
        self._gpu = gpu_traits(device)
        self._search = self._judgements(shape, device, most)

    def go_on(self) -> WouldFit | None:
        """Take one judgement more; the answer, if that was the last one."""
        try:
            next(self._search)
        except StopIteration as end:
            largest, at_best = end.value
        except Exception:  # an answer is not worth the training
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
            return None, None  # it did not: what stood against it, no prediction knows
        # From the same bounds as `fit`, since not all sizes below one that fits do fit.
        largest = yield from _bisect(lambda size: judge.verdict(size).fits, 0, most + 1)
        if largest > failed:
            largest = yield from _bisect(lambda size: judge.verdict(size).fits, 0, failed)
        at_best = yield from _bisect(lambda size: judge.verdict(size).at_best, largest, failed)
        return largest, at_best


def largest_below(settings: Settings, shape: Shape, device: torch.device) -> int | None:
    """The largest batch size that fits, where that of `settings` does not; 0 if none does.

    None where the prediction sees nothing that speaks against the size of `settings`.
    """
    size = settings.batch_size
    limit = memory.limit(device, settings.budget)
    try:
        judge = FitJudge(settings, shape, device.type, gpu_traits(device), limit)
        return None if judge.verdict(size).fits else judge.largest(size - 1)
    except Exception:  # a failed prediction must not end the training
        return None


def _bisect(fits: Callable[[int], bool], low: int, high: int) -> Generator[None, None, int]:
    """As `fitting.bisect`, a judgement at a time."""
    while high - low > 1:
        yield
        middle = (low + high) // 2
        if fits(middle):
            low = middle
        else:
            high = middle
    return low
