"""Records by the trace of CUDA's caching allocator, on all of the process's GPUs."""

from __future__ import annotations

from typing import Any, Literal

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


def gpus_in_use() -> list[torch.device]:
    """Those on which the program has memory. CUDA must have been started."""
    return [
        torch.device("cuda", index)
        for index in range(torch.cuda.device_count())
        if allocator_statistics(index)["reserved_bytes"]["all"]["current"]
    ]


class TraceRecorder:
    """Lets the allocator itself note each allocation and release on these GPUs.

    Where the program records this history already, it is read and goes on.
    """

    source: Literal["trace", "operators"] = "trace"

    def __init__(self, devices: list[torch.device]) -> None:
        self.devices = devices
        self.seconds = 0.0  # what the allocator takes to note each is not told
        self._ours = self._theirs = False
        self._history_calls = HistoryCalls(self._give_way)
        self._snapshot: dict[str, Any] = {}
        self._ends: dict[int, int] = {}
        self._begun: dict[int, int] = {}

    def start(self) -> None:
        """Begin. Raises `CannotRecord`."""
        self._ours = not history_enabled()
        for _ in range(_TRIES):
            before = self._counts()
            if self._ours:
                try:
                    start_history(MOST_ENTRIES, lines=True)
                except (AttributeError, RuntimeError, TypeError) as error:
                    reason = str(error).partition("\n")[0]
                    raise CannotRecord(f"this allocator keeps no trace: {reason}") from error
            # Another thread may have allocated meanwhile.
            if self._counts() == before:
                self._begun = before
                self._history_calls.hear()
                return
        raise CannotRecord("another thread of the program allocates all the time")

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
        self._history_calls.ignore()
        try:
            for _ in range(_TRIES if self._begun and not self._theirs else 0):
                self._ends = self._counts()
                snapshot = allocator_snapshot(self.devices[0])
                if self._counts() == self._ends:
                    self._snapshot = snapshot
                    break
        finally:
            self._stop_history()

    def forget(self) -> None:
        """In a forked child: hear nothing any more. The allocator is the parent's."""
        self._ours = False
        self._history_calls.ignore()

    def _give_way(self) -> None:
        """The program is about to record for itself, or ends what it records."""
        self._theirs = True
        self._history_calls.ignore()
        self._stop_history()

    def _stop_history(self) -> None:
        ours, self._ours = self._ours, False
        if ours:
            try:
                stop_history()
            except BaseException:
                self._ours = True  # another try may follow
                raise

    def recorded(self, device: torch.device, lines: Lines) -> Recorded:
        """What there was. Raises `CannotRecord` where that is not complete."""
        if self._theirs:
            raise CannotRecord("the program has begun or ended to record the allocator's history")
        if not self._snapshot:
            raise CannotRecord("another thread of the program allocates all the time")
        entries = self._entries(device.index)
        count = self._ends[device.index] - self._begun[device.index]
        if len(entries) < count:
            raise CannotRecord(
                f"the allocator's trace has {len(entries):,} of the step's {count:,} events"
            )
        entries = entries[len(entries) - count :]
        freed = [entry["action"] == "free_completed" for entry in entries]
        blocks, block_lines = {}, {}
        for segment in self._snapshot["segments"]:
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

    def _entries(self, index: int) -> list[dict[str, Any]]:
        return [
            entry
            for entry in self._snapshot["device_traces"][index]
            if entry["action"] in ("alloc", "free_completed")
        ]

    def _counts(self) -> dict[int, int]:
        return {
            device.index: allocations_and_releases(allocator_statistics(device.index))
            for device in self.devices
        }
