"""How much a GPU's allocator has given out right after steps, whether they are watched or not.

A reading takes 50 to 100 µs, and empties caches of the processor: the steps after it take longer,
by several times that in all. Alone the readings take one part in `_SHARE` of the time.
"""

from __future__ import annotations

import math
import time
from contextlib import suppress

import torch

from ..accounts import unaccounted
from ..private_cuda import allocator_statistics, cuda_started
from .trace_recorder import gpus_in_use

_SHARE = 5000
_IDLE_SECONDS = 1.0  # until another optimizer may be read, or CUDA be looked for again


class Levels:
    """Keeps of each GPU the least since it was last asked: what every step leaves shows there.

    `due` is when the next reading is, by `time.perf_counter`.
    """

    def __init__(self) -> None:
        self._least: dict[str, tuple[int, int]] = {}  # bytes and the step's number, by device
        self._latest: tuple[int, float] | None = None  # the optimizer of a reading, and when it was
        self._spent = math.inf
        self.due = 0.0

    def read(self, optimizer: int, step: int | None) -> float:
        """This optimizer has made this step, if it is counted; returns the seconds this took.

        Of several optimizers the steps of one are read.
        """
        began = time.perf_counter()
        if not self._concerns(optimizer, began) or step is None:
            return 0.0
        if not cuda_started() or unaccounted(torch.device("cuda")) is not None:
            self.due = began + _IDLE_SECONDS
            return 0.0
        with suppress(Exception):
            self._note(step)
        spent = time.perf_counter() - began
        # The cheaper of the latest two: one that was interrupted says nothing of the next.
        self.due = began + min(spent, self._spent) * _SHARE
        self._latest, self._spent = (optimizer, began), spent
        return spent

    def _concerns(self, optimizer: int, now: float) -> bool:
        last = self._latest
        return last is None or last[0] == optimizer or now - last[1] > _IDLE_SECONDS

    def _note(self, step: int) -> None:
        for device in gpus_in_use():
            held = allocator_statistics(device.index)["requested_bytes"]["all"]["current"]
            least = self._least.get(str(device))
            if least is None or held <= least[0]:
                self._least[str(device)] = held, step

    def take(self) -> list[list[object]]:
        """The device, the step and the bytes of each; what follows counts anew."""
        least, self._least = self._least, {}
        return [[device, step, held] for device, (held, step) in list(least.items())]
