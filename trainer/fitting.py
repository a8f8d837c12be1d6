"""Which batch sizes fit a budget, by prediction alone.

What counts against a budget: on a CUDA device the bytes that the allocator takes from the driver,
workspaces, rounding and cache among them; elsewhere the bytes that the step asks for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from . import memory
from .caching import NoRoom
from .prediction import Predictor, Shape, predict
from .protocol import Predicted
from .reduction import Card
from .replay import Replay
from .settings import Settings


@dataclass(frozen=True)
class Verdict:
    """Whether a batch size fits, and how many bytes it takes of the budget.

    Where it does not fit a CUDA device, at least so many: the step gets no further.
    """

    fits: bool
    bytes: int


class Fitting:
    """Judges batch sizes of one setting against a budget of `limit` bytes.

    The step that is judged begins with the optimizer's state in place and the cache empty.
    """

    def __init__(
        self, settings: Settings, shape: Shape, kind: str, card: Card | None, limit: int
    ) -> None:
        self._predictor = Predictor(settings, shape, kind, card)
        self._limit = limit
        self._replay = Replay(card) if card else None
        _, log = self._predictor.step(1)
        if self._replay is not None:
            self._replay.step(log)
            self._replay.allocator.empty()
            self._replay.allocator.limit = limit

    def judge(self, batch_size: int) -> Verdict:
        """Whether a step on a batch of this size stays within the budget."""
        anatomy, log = self._predictor.step(batch_size)
        if self._replay is None:
            taken = anatomy.peak.bytes
            return Verdict(taken <= self._limit, taken)
        replay = self._replay.copy()
        try:
            for _ in range(2):  # the second step has the first one's cache
                replay.step(log)
        except NoRoom as error:
            return Verdict(False, error.reserved)
        return Verdict(True, replay.allocator.peak_reserved)

    def largest(self, most: int) -> int:
        """The largest size up to `most` that fits, 0 if none does."""
        return bisect(lambda size: self.judge(size).fits, 0, most + 1)


def forecast(
    settings: Settings, shape: Shape, device: torch.device, card: Card | None
) -> Predicted:
    """What these settings will hold on `device`, and whether their budget allows it."""
    prediction = predict(settings, shape, device.type, card)
    verdict = None
    if settings.budget is not None:
        limit = settings.budget
        if device.index is not None:
            limit = memory.allowed(device, limit)
        verdict = Fitting(settings, shape, device.type, card, limit).judge(settings.batch_size)
    return Predicted(
        settings=settings,
        device=str(device),
        anatomy=prediction.anatomy,
        allocator=prediction.allocator,
        needed=None if verdict is None or verdict.fits else verdict.bytes,
    )


def bisect(fits: Callable[[int], bool], low: int, high: int) -> int:
    """The largest size that fits, where `low` does, `high` does not, and all between are asked."""
    while high - low > 1:
        middle = (low + high) // 2
        if fits(middle):
            low = middle
        else:
            high = middle
    return low
