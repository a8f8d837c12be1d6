"""The trace of CUDA's caching allocator: each allocation and each release, by its address.

All names that PyTorch keeps for itself and that this takes are in this module. They are the same
in PyTorch 2.9, 2.10 and 2.14.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch.cuda import memory

# An allocation and its release take three, of 240 bytes of the host each.
MOST_ENTRIES = 2**18
_TRIES = 100


class NoAccount(Exception):
    """It is not known what the bytes on a device are; the message says why, in one line."""


class Event(NamedTuple):
    """An allocation, or a release, of a block of so many bytes as were asked for."""

    freed: bool
    address: int
    size: int


class History(NamedTuple):
    """The events since a trace was started, and the blocks that are alive at its end.

    Of the blocks: bytes as asked for, by address.
    """

    events: list[Event]
    blocks: dict[int, int]


class Trace:
    """What the allocator of one CUDA device does between `start` and `stop`.

    A history that somebody else records, as a profiler does, goes on as it was, and is only read.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._ours = False
        self._refusal: str | None = None

    def start(self) -> None:
        """Begin. Where the allocator keeps no trace, `stop` tells of it."""
        self._refusal = None
        try:
            self._ours = not torch._C._cuda_isHistoryEnabled()
            if self._ours:
                memory._record_memory_history(
                    "all",
                    context=None,
                    stacks="python",
                    max_entries=MOST_ENTRIES,
                    clear_history=True,
                )
        except (AttributeError, RuntimeError, TypeError) as error:
            self._refusal = f"this allocator keeps no trace: {str(error).partition(chr(10))[0]}"
        self._started = self._count()

    def place(self, statistics: dict[str, Any]) -> int:
        """How many allocations and releases there were since the start, by these statistics."""
        return _count(statistics) - self._started

    def stop(self) -> History:
        """End, and give what there was. Raises `NoAccount` where that is not known completely."""
        if self._refusal is not None:
            raise NoAccount(self._refusal)
        try:
            snapshot, ended = self._snapshot()
        finally:
            if self._ours:
                memory._record_memory_history(None)
        index = self._device.index
        events = [
            Event(entry["action"] == "free_completed", entry["addr"], entry["size"])
            for entry in snapshot["device_traces"][index]
            if entry["action"] in ("alloc", "free_completed")
        ]
        count = ended - self._started
        if len(events) < count:
            raise NoAccount(
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
        """A snapshot, and how many events there were until then."""
        for _ in range(_TRIES):
            before = self._count()
            snapshot: dict[str, Any] = memory._snapshot(self._device)
            # Autograd's thread may let go of something meanwhile.
            if self._count() == before:
                return snapshot, before
        raise NoAccount("another thread of this process allocates all the time")

    def _count(self) -> int:
        return _count(torch.cuda.memory_stats_as_nested_dict(self._device))


def _count(statistics: dict[str, Any]) -> int:
    """The allocations and releases since the process began."""
    active = statistics["active"]["all"]
    count: int = active["allocated"] + active["freed"]
    return count
