"""How much a GPU's allocator has given out right after steps, whether they are watched or not.

A reading takes some 10 µs. There are as many as cost one part in `_SHARE` of the time.
"""

from __future__ import annotations

import time
from contextlib import suppress

import torch

from ..accounts import unaccounted
from ..private_cuda import allocator_statistics, cuda_started
from .trace_recorder import gpus_in_use

_SHARE = 2000


class Levels:
    """Keeps of each GPU the least since it was last asked: what every step leaves shows there."""

    def __init__(self) -> None:
        self._least: dict[str, tuple[int, int]] = {}  # bytes and the step's number, by device
        self._due = 0.0

    def read(self, step: int | None) -> float:
        """An optimizer has made this step, if it is counted; returns the seconds this took.

        The program calls this, so it does not raise.
        """
        began = time.perf_counter()
        if step is None or began < self._due:
            return 0.0
        with suppress(Exception):
            self._note(step)
        spent = time.perf_counter() - began
        self._due = began + spent * _SHARE
        return spent

    def _note(self, step: int) -> None:
        if not cuda_started() or unaccounted(torch.device("cuda")) is not None:
            return
        for device in gpus_in_use():
            held = allocator_statistics(device.index)["requested_bytes"]["all"]["current"]
            least = self._least.get(str(device))
            if least is None or held <= least[0]:
                self._least[str(device)] = held, step

    def take(self) -> list[list[object]]:
        """The device, the step and the bytes of each; what follows counts anew."""
        least, self._least = self._least, {}
        return [[device, step, held] for device, (held, step) in list(least.items())]
