"""Whether a batch size fits a budget, by prediction alone.

On a CUDA device a budget limits the bytes that the allocator takes from the driver, including
workspaces, rounding and cache. Elsewhere it limits the bytes that the step asks for.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from vramtop.accounting.caching import NoRoom
from vramtop.accounting.records import StepLog
from vramtop.protocol.lesson.messages import Predicted
from vramtop.protocol.lesson.settings import Settings
from vramtop.trainer.device import memory

from .bisection import bisect
from .gpu_traits import GpuTraits
from .placing import LEAST
from .predictor import Predictor, Shape, predict
from .replay import Replay


@dataclass(frozen=True)
class Verdict:
    """Whether a batch size fits in every order of allocation, and the `bytes` it needs.

    `bytes` is the maximum over the orders. Where one does not fit a CUDA device it is a lower
    bound, because the step goes no further. `at_best` is whether the size fits in some order.
    """

    fits: bool
    bytes: int
    at_best: bool


class FitJudge:
    """Predicts which batch sizes of one setting fit a budget of `limit` bytes.

    Each predicted step begins with an empty cache. On a CUDA device it is predicted in each of the
    orders of `placing`.
    """

    def __init__(
        self, settings: Settings, shape: Shape, device_type: str, gpu: GpuTraits | None, limit: int
    ) -> None:
        self._predictor = Predictor(settings, shape, device_type, gpu)
        # This one makes its optimizer's state anew for each verdict.
        self._starting = Predictor(settings, shape, device_type, gpu) if gpu else None
        self._limit = limit
        self._gpu = gpu
        self._started = Replay(gpu) if gpu else None  # after a step on one image
        _, log = self._predictor.step(LEAST)
        if self._started is not None:
            self._started.step(log)
            self._started.step(self._predictor.step(LEAST)[1])
            self._started.allocator.limit = limit

    def verdict(self, batch_size: int) -> Verdict:
        """Whether steps on a batch of this size stay within the budget."""
        if self._started is None or self._starting is None or self._gpu is None:
            taken = self._predictor.step(batch_size)[0].peak.bytes
            fits = taken <= self._limit
            return Verdict(fits, taken, fits)
        _, log = self._predictor.step(batch_size)
        after_others = self._started.copy()
        after_others.allocator.empty()
        restored = self._started.copy()
        restored.leave()
        # A training that starts with this size, in a fresh process.
        self._starting.forget()
        first, second = (self._starting.step(batch_size)[1] for _ in range(2))
        fresh = Replay(self._gpu)
        fresh.allocator.limit = self._limit
        attempts = (
            _taken(after_others, (log, log)),  # the second step has the first one's cache
            _taken(restored, (log, log)),
            _taken(fresh, (first, second, second)),
        )
        refused = [taken for fits, taken in attempts if not fits]
        most = max(refused or [taken for _, taken in attempts])
        return Verdict(not refused, most, len(refused) < len(attempts))

    def largest(self, most: int) -> int:
        """The largest size up to `most` that fits in every order, 0 if none does."""
        return bisect(lambda size: self.verdict(size).fits, 0, most + 1)

    def at_best(self, least: int, most: int) -> int:
        """The largest size from `least`, which fits, up to `most` that fits in some order."""
        return bisect(lambda size: self.verdict(size).at_best, least, most + 1)


def _taken(replay: Replay, logs: tuple[StepLog, ...]) -> tuple[bool, int]:
    """Whether the allocator has room for these steps, and its peak of reserved bytes."""
    try:
        for log in logs:
            replay.step(log)
    except NoRoom as error:
        return False, error.reserved
    return True, replay.allocator.peak_reserved


def prediction_for(
    settings: Settings, shape: Shape, device: torch.device, gpu: GpuTraits | None
) -> Predicted:
    """The prediction for these settings on `device`, and whether it fits their budget."""
    prediction = predict(settings, shape, device.type, gpu)
    verdict = None
    if settings.budget is not None:
        limit = settings.budget
        if device.index is not None:
            limit = memory.allowed(device, limit)
        verdict = FitJudge(settings, shape, device.type, gpu, limit).verdict(settings.batch_size)
    return Predicted(
        settings=settings,
        device=str(device),
        anatomy=prediction.anatomy,
        allocator=prediction.allocator,
        needed=None if verdict is None or verdict.fits else verdict.bytes,
        unmodelled=gpu.unmodelled if gpu else (),
    )
