"""The largest batch size that fits: found by prediction, proved by real steps.

Afterwards the training is what it was before, to the bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import median

import torch
from vramtop.observer.accounts import unaccounted
from vramtop.protocol.lesson.messages import Found, Timed, Tried, Trying
from vramtop.protocol.lesson.settings import SettingError, Settings
from vramtop.trainer.device import memory
from vramtop.trainer.training.out_of_memory import out_of_memory_facts
from vramtop.trainer.training.training import Snapshot, Training
from vramtop.trainer.training.watcher import Unwatched

from .bisection import bisect
from .gpu_traits import gpu_traits
from .judge import FitJudge
from .placing import LEAST, RESTORED, orders, place

RECOMMENDED = 0.8  # of the largest batch size; the lesson's margin for other users of the device
FAST = 0.95  # of the highest samples a second
_SMALLEST_TIMED = 16
_TIMED_STEPS = 5
_TIMED_SECONDS = 0.1


class Search:
    """A search with this training's own model, optimizer and images, on its own device.

    `report` gets a message for every size that is tried or timed. `listen` is called before each
    step and may raise `CalledOff`.
    """

    def __init__(
        self,
        training: Training,
        settings: Settings,
        report: Callable[[Trying | Tried | Timed], None],
        listen: Callable[[], None],
    ) -> None:
        self._training = training
        self._settings = settings
        self._report = report
        self._listen = listen
        self._accumulation = settings.accumulation
        self._most = len(training.dataset.train) // settings.accumulation
        self._steps = self._failed_trials = 0
        self._taken: dict[int, int] = {}  # bytes of the budget, by size that was tried
        self._on_cuda = training.device.type == "cuda"

    def run(self) -> Found:
        """Find the largest size and time the sizes below it.

        Raises `SettingError` where not even one image fits or nothing can be proved, and
        `CalledOff`.
        """
        training, device = self._training, self._training.device
        if reason := unaccounted(device):
            raise SettingError(f"nothing can be proved: {reason}")
        here = training.snapshot(self._settings)
        budget = self._settings.budget or memory.available(device)
        self._limit = memory.enforce(device, budget)
        try:
            return self._find(budget)
        finally:
            training.drop_step()
            memory.enforce(device, self._settings.budget)
            if self._on_cuda:
                training.evict()
                memory.release(device)
            training.restore(here)
            memory.release(device)

    def _find(self, budget: int) -> Found:
        training, device = self._training, self._training.device
        gpu = gpu_traits(device)
        judge = FitJudge(
            self._settings,
            training.dataset.data.shape,
            device.type,
            gpu,
            memory.allowed(device, budget),
        )
        predicted = judge.largest(self._most)
        # A step that certainly fits makes the optimizer's state and cuBLAS's workspaces.
        ready = self._on_cuda or training.progress.steps > 0
        unmodelled = gpu.unmodelled if gpu else ()
        if not unmodelled and (predicted == 0 or not (ready or self._fits(1))):
            raise SettingError(
                f"a budget of {budget:,} B does not hold a batch of one image, which takes "
                f"{judge.verdict(1).bytes:,} B"
            )
        if self._on_cuda:
            self._with_state = self._snapshot()
        largest = self._prove(max(1, predicted))
        by_data = largest == self._most
        recommended = max(1, int(RECOMMENDED * largest))
        sizes = [*_doubling(largest), largest]
        timed = {size: self._speed(size) for size in sizes}
        if recommended not in timed and self._on_cuda:
            timed[recommended] = self._speed(recommended)
        speeds = tuple(speed for size in sizes if (speed := timed[size]) is not None)
        if not speeds:
            raise SettingError("what fitted does not fit again: others take the device's memory")
        best = max(speed.samples_per_second for speed in speeds)
        fast = (s.batch_size for s in speeds if s.samples_per_second >= FAST * best)
        at_best = None if unmodelled or by_data else judge.at_best(largest, self._most)
        beyond = judge.verdict(largest + 1).bytes if not by_data else None
        return Found(
            max_batch_size=largest,
            recommended_batch_size=recommended,
            limited_by="data" if by_data else "memory",
            budget=budget,
            peak_at_max=self._taken[largest],
            peak_beyond=self._taken.get(largest + 1, beyond),
            trial_steps=self._steps,
            oom_trials=self._failed_trials,
            fast_batch_size=min(fast),
            speeds=speeds,
            accumulation=self._accumulation,
            no_room=tuple(sorted(size for size, speed in timed.items() if speed is None)),
            orders=len(orders(largest, device.type)),
            at_best=at_best if at_best != largest else None,
            unmodelled=unmodelled,
        )

    def _snapshot(self) -> Snapshot:
        """The training with its optimizer's state, made by a step on one image if it is missing."""
        training = self._training
        if not training.optimizer.state:
            try:
                training.step(1, Unwatched(), self._accumulation)
            except RuntimeError as error:
                facts = out_of_memory_facts(error, None)
                raise SettingError(f"not even a batch of one image fits: {facts.detail}") from None
        return training.snapshot(self._settings)

    def _prove(self, predicted: int) -> int:
        """The size that fits while the next one does not, by real steps.

        Two trials are enough where the prediction is right. Otherwise the search goes on from it.
        """
        low, high = 0, self._most + 1
        size, stride = predicted, 1
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
        """Whether real steps on `size` images fit, in each order of allocation."""
        self._report(Trying(size))
        tried = orders(size, self._training.device.type)
        fits = all(self._fits_in(size, order) for order in tried)
        self._report(Tried(size, fits))
        return fits

    def _fits_in(self, size: int, order: int | None) -> bool:
        """Whether real steps fit in this order; the second step finds the first one's cache."""
        self._listen()
        training = self._training
        try:
            if self._on_cuda:
                place(training, self._with_state, order, self._accumulation)
                if order == LEAST:
                    memory.release(training.device)
            else:
                memory.release(training.device)
            for _ in range(2 if self._on_cuda else 1):
                self._step(size)
        except RuntimeError as error:
            needed = out_of_memory_facts(error, None).needed
            self._note(size, needed if self._on_cuda else None)
            training.drop_step()
            self._failed_trials += 1
            return False
        return True

    def _step(self, size: int) -> None:
        training = self._training
        training.batches.seek(1, 0)
        recording = training.ledger.record(self._limit)
        self._steps += 1
        training.step(size, recording, self._accumulation)
        allocator = recording.allocator()
        if allocator is not None and self._limit is None:
            self._note(size, allocator.reserved)
        else:
            self._note(size, recording.anatomy().peak.bytes)

    def _note(self, size: int, taken: int | None) -> None:
        """Note the bytes of the budget that a trial took or needed; the maximum counts."""
        if taken is not None:
            self._taken[size] = max(taken, self._taken.get(size, 0))

    def _speed(self, size: int) -> Timed | None:
        """The speed by the median of a few steps; the first, which fills the cache, is left out.

        None where there is no room for this size, although the largest has fitted.
        """
        training = self._training
        taken: list[float] = []
        try:
            if self._on_cuda:
                place(training, self._with_state, RESTORED, self._accumulation)
            memory.release(training.device)
            while len(taken) <= _TIMED_STEPS or sum(taken) < _TIMED_SECONDS:
                self._listen()
                if training.batches.remaining < size * self._accumulation:
                    training.batches.seek(1, 0)
                began = time.perf_counter()
                training.step(size, Unwatched(), self._accumulation)
                if training.device.type != "cpu":
                    torch.accelerator.synchronize()
                taken.append(time.perf_counter() - began)
        except RuntimeError as error:
            out_of_memory_facts(error, None)
            training.drop_step()
            return None
        timed = Timed(size, size * self._accumulation / median(taken[1:]))
        self._report(timed)
        return timed


def _doubling(largest: int) -> Iterator[int]:
    """The sizes below the largest at which speed is measured."""
    size = _SMALLEST_TIMED
    while size < largest:
        yield size
        size *= 2
