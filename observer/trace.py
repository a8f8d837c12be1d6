"""The trace of CUDA's caching allocator: each allocation and release, with its address."""

from __future__ import annotations

from typing import Any

import torch

from .private_cuda import (
    allocations_and_releases,
    allocator_snapshot,
    history_enabled,
    start_history,
    stop_history,
)
from .records import Event, History

# An allocation and its release take three entries, of 240 bytes of host memory each.
MOST_ENTRIES = 2**18
_TRIES = 100


class NoTrace(Exception):
    """The trace is missing or incomplete; the message is the reason, in one line."""


class Trace:
    """The trace of one CUDA device's allocator between `start` and `stop`.

    If the program already records the history, as a profiler does, it is read and left running.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._ours = False
        self._refusal: str | None = None

    def start(self) -> None:
        """Begin. If the allocator keeps no trace, `stop` raises `NoTrace`."""
        self._refusal = None
        try:
            self._ours = not history_enabled()
            if self._ours:
                start_history(MOST_ENTRIES)
        except (AttributeError, RuntimeError, TypeError) as error:
            self._refusal = f"this allocator keeps no trace: {str(error).partition(chr(10))[0]}"
        self._started = self._count()

    def place(self, statistics: dict[str, Any]) -> int:
        """The number of allocations and releases since the start, by these statistics."""
        return allocations_and_releases(statistics) - self._started

    def stop(self) -> History:
        """End, and return the history. Raises `NoTrace` where it is missing or incomplete."""
        if self._refusal is not None:
            raise NoTrace(self._refusal)
        try:
            snapshot, ended = self._snapshot()
        finally:
            if self._ours:
                stop_history()
        index = self._device.index
        events = [
            Event(entry["action"] == "free_completed", entry["addr"], entry["size"])
            for entry in snapshot["device_traces"][index]
            if entry["action"] in ("alloc", "free_completed")
        ]
        count = ended - self._started
        if len(events) < count:
            raise NoTrace(
                f"the allocator's trace has {len(events):,} of the step's {count:,} events"
            )
        blocks = {
            block["address"]: block["requested_size"]
            for segment in snapshot["segments"]
            if segment["device"] == index
            for block in segment["blocks"]
            if block["state"].startswith("active")
        }
        return History(events[len(events) - count :], blocks)

    def _snapshot(self) -> tuple[dict[str, Any], int]:
        """A snapshot, and the number of events until then."""
        for _ in range(_TRIES):
            before = self._count()
            snapshot = allocator_snapshot(self._device)
            # Autograd's thread may release memory meanwhile.
            if self._count() == before:
                return snapshot, before
        raise NoTrace("another thread of this process allocates all the time")

    def _count(self) -> int:
        return allocations_and_releases(torch.cuda.memory_stats_as_nested_dict(self._device))
