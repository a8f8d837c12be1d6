"""Which batch size would have fitted where one did not, by prediction alone."""

from __future__ import annotations

from collections.abc import Generator

import msgspec
import torch

from . import memory
from .fitting import Fitting
from .prediction import Shape
from .protocol import WouldFit
from .reduction import card
from .settings import Settings

_BATCHES = 3  # of a step: those that follow them add nothing to what it holds


class Hindsight:
    """Finds the largest size that `settings`, which ran out of memory on `device`, allow.

    A judgement takes some milliseconds. The training that goes on meanwhile is not to stand still
    for all of them, so each is taken by a call of its own.
    """

    def __init__(self, settings: Settings, shape: Shape, device: torch.device) -> None:
        self._settings = settings
        budget = settings.budget or memory.available(device)
        self._limit = memory.allowed(device, budget)
        self._search = self._judgements(shape, device)

    def go_on(self) -> WouldFit | None:
        """Take one judgement more; the answer, if that was the last one."""
        try:
            next(self._search)
        except StopIteration as end:
            largest = end.value
        except Exception:  # an answer is not worth the training
            largest = None
        else:
            return None
        return WouldFit(self._settings, self._limit, largest)

    def _judgements(self, shape: Shape, device: torch.device) -> Generator[None, None, int | None]:
        accumulation = min(self._settings.accumulation, _BATCHES)
        settings = msgspec.structs.replace(self._settings, accumulation=accumulation)
        fitting = Fitting(settings, shape, device.type, card(device), self._limit)
        yield
        low, high = 0, settings.batch_size
        if fitting.judge(high).fits:
            return None  # it did not: what stood against it, no prediction knows
        while high - low > 1:
            yield
            middle = (low + high) // 2
            if fitting.judge(middle).fits:
                low = middle
            else:
                high = middle
        return low
