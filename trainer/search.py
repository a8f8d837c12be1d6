"""The largest batch size that fits: found by prediction, proved by real steps.

The training that searches is afterwards what it was before, to the bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import median

import torch

from . import memory
from .fitting import Fitting, bisect
from .protocol import Found, Timed, Tried
from .reduction import card
from .settings import SettingError, Settings
from .training import Training, Unwatched

RECOMMENDED = 0.8  # of the largest; the lesson's margin for what else comes onto the device
FAST = 0.95  # of the best samples a second
_SMALLEST_TIMED = 16
_TIMED_STEPS = 5
_TIMED_SECONDS = 0.1


class Search:
    """A search with this training's own model, optimizer and images, on its own device.

    `tell` hears of every real step and of every size that was timed, `listen` is called before
    each and may raise `CalledOff`.
    """

    def __init__(
        self,
        training: Training,
        settings: Settings,
        tell: Callable[[Tried | Timed], None],
        listen: Callable[[], None],
    ) -> None:
        self._training = training
        self._settings = settings
        self._tell = tell
        self._listen = listen
        self._accumulation = settings.accumulation
        self._most = len(training.dataset.train) // settings.accumulation
        self._steps = self._shortages = 0
        self._taken: dict[int, int] = {}  # bytes of the budget, by size that fitted

    def run(self) -> Found:
        """Find it. Raises `SettingError` where not even one image fits, and `CalledOff`."""
        training, device = self._training, self._training.device
        here = training.snapshot(self._settings)
        budget = self._settings.budget or memory.available(device)
        self._limit = memory.enforce(device, budget)
        try:
            return self._find(budget)
        finally:
            training.drop_step()
            memory.enforce(device, self._settings.budget)
            training.restore(here)
            memory.release(device)

    def _find(self, budget: int) -> Found:
        training, device = self._training, self._training.device
        fitting = Fitting(
            self._settings,
            training.dataset.data.shape,
            device.type,
            card(device),
            memory.allowed(device, budget),
        )
        foretold = fitting.largest(self._most)
        # A step that fits beyond all doubt makes the optimizer's state and cuBLAS's workspaces.
        ready = training.progress.steps > 0
        if foretold == 0 or not (ready or self._fits(1)):
            raise SettingError(
                f"a budget of {budget:,} B does not hold a batch of one image, which takes "
                f"{fitting.judge(1).bytes:,} B"
            )
        largest = self._prove(foretold)
        by_data = largest == self._most
        sizes = [*_doubling(largest), largest]
        recommended = max(1, int(RECOMMENDED * largest))
        judged = sorted({*sizes, recommended})
        no_room = tuple(size for size in judged if not fitting.judge(size).fits)
        speeds = tuple(self._speed(size) for size in sizes if size not in no_room)
        best = max(speed.samples_per_second for speed in speeds)
        fast = (s.batch_size for s in speeds if s.samples_per_second >= FAST * best)
        return Found(
            max_batch_size=largest,
            recommended_batch_size=recommended,
            limited_by="data" if by_data else "memory",
            budget=budget,
            peak_at_max=self._taken[largest],
            peak_beyond=None if by_data else fitting.judge(largest + 1).bytes,
            trial_steps=self._steps,
            oom_trials=self._shortages,
            fast_batch_size=min(fast),
            speeds=speeds,
            accumulation=self._accumulation,
            no_room=no_room,
        )

    def _prove(self, foretold: int) -> int:
        """The size that fits while the next does not, by real steps.

        Two are enough where the prediction is right; else they go on from where it was wrong.
        """
        low, high = 0, self._most + 1
        size, stride = foretold, 1
        while high - low > 1:
            if self._fits(size):
                low, size = size, size + stride
            else:
                high, size = size, size - stride
            if low and high <= self._most:
                return bisect(self._fits, low, high)
            stride *= 2
            size = max(1, min(size, self._most))
        if low == 0:
            raise SettingError("not even a batch of one image fits")
        return low

    def _fits(self, size: int) -> bool:
        """Take a real step on so many images, from an empty cache."""
        self._listen()
        training = self._training
        memory.release(training.device)
        training.batches.seek(1, 0)
        recording = training.ledger.record(self._limit)
        self._steps += 1
        try:
            training.step(size, recording, self._accumulation)
        except RuntimeError as error:
            if not memory.is_shortage(error):
                raise
            training.drop_step()
            self._shortages += 1
            fits = False
        else:
            allocator = recording.allocator()
            if allocator is not None and self._limit is None:
                self._taken[size] = allocator.reserved
            else:
                self._taken[size] = recording.anatomy().peak.bytes
            fits = True
        self._tell(Tried(size, fits))
        return fits

    def _speed(self, size: int) -> Timed:
        """The median of a few steps, the first one left out: it makes the allocator's cache."""
        training = self._training
        taken: list[float] = []
        memory.release(training.device)  # cut up for other sizes, it may have no room for this one
        while len(taken) <= _TIMED_STEPS or sum(taken) < _TIMED_SECONDS:
            self._listen()
            if training.batches.remaining < size * self._accumulation:
                training.batches.seek(1, 0)
            began = time.perf_counter()
            training.step(size, Unwatched(), self._accumulation)
            if training.device.type != "cpu":
                torch.accelerator.synchronize()
            taken.append(time.perf_counter() - began)
        timed = Timed(size, size * self._accumulation / median(taken[1:]))
        self._tell(timed)
        return timed


def _doubling(largest: int) -> Iterator[int]:
    """The sizes below the largest at which speed is measured."""
    size = _SMALLEST_TIMED
    while size < largest:
        yield size
        size *= 2
