"""Records by the trace of CUDA's caching allocator, on all of the process's GPUs."""

from __future__ import annotations

from copy import copy
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import torch
from torch import UntypedStorage

from ..private_cuda import (
    allocations_and_releases,
    allocator_snapshot,
    allocator_statistics,
    history_enabled,
    start_history,
    stop_history,
)
from .history import HistoryCalls
from .lines import NOWHERE, Lines
from .recorder import CannotRecord, Reading, Recorded

MOST_ENTRIES = 2**18  # an allocation and its release take three
_TRIES = 100
_BUSY = "another thread of the program allocates all the time"


class _Part(NamedTuple):
    """A history without a gap: the snapshot at its end, and the places of its begin and its end.

    Places are allocations and releases since the process began, by the number of the GPU.
    """

    snapshot: dict[str, Any]
    begin: dict[int, int]
    end: dict[int, int]


def gpus_in_use() -> list[torch.device]:
    """Those on which the program has memory. CUDA must have been started."""
    return [
        torch.device("cuda", index)
        for index in range(torch.cuda.device_count())
        if allocator_statistics(index)["reserved_bytes"]["all"]["current"]
    ]


class TraceRecorder:
    """Lets the allocator itself note each allocation and release on these GPUs.

    Where the program records this history already, it is read and goes on. The history ends while
    the program forks: in a child nobody could end it without a lock that another thread may hold.
    """

    source: Literal["trace", "operators"] = "trace"

    def __init__(self, devices: list[torch.device]) -> None:
        self.devices = devices
        self.seconds = 0.0  # what the allocator takes to note each is not told
        self.ours = self._theirs = False
        self._history_calls = HistoryCalls(self._give_way)
        self.parts: list[_Part] = []
        self._begun: dict[int, int] = {}  # the place at which all began
        self._since: dict[int, int] = {}  # the one at which the history began, empty where none is

    def start(self) -> None:
        """Begin. Raises `CannotRecord`."""
        self.ours = not history_enabled()
        self._begin_part()
        self._begun = self._since

    def pause(self) -> None:
        """End the history for a moment, if it is ours."""
        if self.ours:
            self._end_part()
            self.ours = True

    def resume(self) -> None:
        """Go on after `pause`. Raises `CannotRecord`."""
        if self.ours and not self._since:
            self._begin_part()

    def so_far(self) -> TraceRecorder | None:
        """What is recorded until now, while this one goes on; None where the history is not ours.

        Raises `CannotRecord`.
        """
        if not self.ours:
            return None
        self.pause()
        told = copy(self)
        told.ours, told.parts = False, list(self.parts)
        self.resume()
        return told

    def _begin_part(self) -> None:
        for _ in range(_TRIES):
            before = self._counts()
            if self.ours:
                try:
                    start_history(MOST_ENTRIES, lines=True)
                except (AttributeError, RuntimeError, TypeError) as error:
                    reason = str(error).partition("\n")[0]
                    raise CannotRecord(f"this allocator keeps no trace: {reason}") from error
            # Another thread may have allocated meanwhile.
            if self._counts() == before:
                self._since = before
                self._history_calls.hear()
                return
        raise CannotRecord(_BUSY)

    def _end_part(self) -> None:
        self._history_calls.ignore()
        try:
            for _ in range(_TRIES if self._since and not self._theirs else 0):
                ends = self._counts()
                snapshot = allocator_snapshot(self.devices[0])
                if self._counts() == ends:
                    self.parts.append(_Part(snapshot, self._since, ends))
                    self._since = {}
                    break
        finally:
            self._stop_history()

    def read(self, device: torch.device) -> Reading:
        """The place now, and the allocator's figures."""
        statistics = allocator_statistics(device.index)
        return Reading(
            allocations_and_releases(statistics) - self._begun[device.index],
            statistics["requested_bytes"]["all"]["current"],
            statistics["allocated_bytes"]["all"]["current"],
            statistics["reserved_bytes"]["all"]["current"],
        )

    def address(self, storage: UntypedStorage, *, older: bool) -> int:  # noqa: ARG002
        """The address by which events name this memory."""
        return storage.data_ptr()

    def stop(self) -> None:
        """End; the snapshot is taken now."""
        self._end_part()

    def forget(self) -> None:
        """In a forked child: hear nothing any more. The allocator is the parent's."""
        self.ours = False
        self._history_calls.ignore()

    def _give_way(self) -> None:
        """The program is about to record for itself, or ends what it records."""
        self._theirs = True
        self._history_calls.ignore()
        self._stop_history()

    def _stop_history(self) -> None:
        ours, self.ours = self.ours, False
        if ours:
            try:
                stop_history()
            except BaseException:
                self.ours = True  # another try may follow
                raise

    def recorded(self, device: torch.device, lines: Lines) -> Recorded:
        """What there was. Raises `CannotRecord` where that is not complete."""
        if self._theirs:
            raise CannotRecord("the program has begun or ended to record the allocator's history")
        if self._since or not self.parts:
            raise CannotRecord(_BUSY)
        if any(before.end != after.begin for before, after in pairwise(self.parts)):
            raise CannotRecord("another thread of the program allocates while it forks")
        entries = [entry for part in self.parts for entry in _entries(part, device.index)]
        freed = [entry["action"] == "free_completed" for entry in entries]
        blocks, block_lines = {}, {}
        for segment in self.parts[-1].snapshot["segments"]:
            if segment["device"] != device.index:
                continue
            for block in segment["blocks"]:
                if block["state"].startswith("active"):
                    blocks[block["address"]] = block["requested_size"]
                    block_lines[block["address"]] = lines.of_frames(block.get("frames", []))
        return Recorded(
            [entry["addr"] for entry in entries],
            [
                -entry["size"] if gone else entry["size"]
                for entry, gone in zip(entries, freed, strict=True)
            ],
            [
                NOWHERE if gone else lines.of_frames(entry.get("frames", []))
                for entry, gone in zip(entries, freed, strict=True)
            ],
            blocks,
            block_lines,
        )

    def _counts(self) -> dict[int, int]:
        return {
            device.index: allocations_and_releases(allocator_statistics(device.index))
            for device in self.devices
        }


def _entries(part: _Part, index: int) -> list[dict[str, Any]]:
    """The allocations and releases of a part on this GPU. Raises `CannotRecord`."""
    entries = [
        entry
        for entry in part.snapshot["device_traces"][index]
        if entry["action"] in ("alloc", "free_completed")
    ]
    count = part.end[index] - part.begin[index]
    if len(entries) < count:
        raise CannotRecord(
            f"the allocator's trace has {len(entries):,} of the step's {count:,} events"
        )
    return entries[len(entries) - count :]
