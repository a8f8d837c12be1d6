"""Reads a device's allocator while a step is recorded.

The CPU has no such allocator, and so no reader.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Protocol

import torch

from . import denials, settling
from .accounts import unaccounted
from .records import AllocatorFigures, AllocatorRecord, Boundary, Phase
from .trace import NoTrace, Trace


class AllocatorReader(Protocol):
    """Reads a device's allocator while a step is recorded.

    Where it is `traced`, the allocator records each allocation and release. A place in this trace
    is the number of these since the step began.
    """

    traced: bool

    def start(self) -> None:
        """A step begins: peaks, places and boundaries count from now on."""

    def place(self) -> int:
        """The place in the trace now."""

    def boundary(self, phase: Phase) -> int:
        """A phase has ended; returns the place in the trace."""

    def end(self) -> AllocatorRecord:
        """The step has ended; returns the allocator's record of it."""


class CudaReader:
    """Reads a CUDA device's caching allocator, with its trace.

    The trace also has memory that no tensor holds: buffers that an operator releases before it
    ends, as PyTorch's reductions do, and cuBLAS's workspaces, allocated at first use and kept.
    """

    traced = True

    def __init__(self, device: torch.device) -> None:
        denials.watch()
        settling.prepare(device)
        self._device = device
        self._trace = Trace(device)

    def start(self) -> None:
        """A step begins: peaks, places and boundaries count from now on."""
        self._boundaries: list[Boundary] = []
        settling.settle(self._device)  # gradients of the step before may still be held
        torch.cuda.reset_peak_memory_stats(self._device)
        self._trace.start()

    def place(self) -> int:
        """The place in the trace now."""
        return self._trace.place(self._statistics())

    def boundary(self, phase: Phase) -> int:
        """A phase has ended; returns the place in the trace. Waits for autograd after backward."""
        if phase == "backward":
            settling.settle(self._device)
        now = self._statistics()
        requested = now["requested_bytes"]["all"]["current"]
        allocated = now["allocated_bytes"]["all"]["current"]
        self._boundaries.append(Boundary(phase, requested, allocated))
        return self._trace.place(now)

    def end(self) -> AllocatorRecord:
        """The step has ended; returns the allocator's record of it."""
        now = self._statistics()
        figures = AllocatorFigures(
            boundaries=self._boundaries,
            reserved=now["reserved_bytes"]["all"]["current"],
            inactive=now["inactive_split_bytes"]["all"]["current"],
            allocated_peak=now["allocated_bytes"]["all"]["peak"],
            requested_peak=now["requested_bytes"]["all"]["peak"],
            retries=now["num_alloc_retries"],
            denied=now["num_ooms"],
        )
        try:
            return AllocatorRecord(figures, self._trace.stop())
        except NoTrace as reason:
            return AllocatorRecord(figures, missing=str(reason))

    def _statistics(self) -> dict[str, Any]:
        return torch.cuda.memory_stats_as_nested_dict(self._device)


class MetalReader:
    """Reads the allocator of an Apple GPU, which reports only its live and its reserved bytes."""

    traced = False

    def start(self) -> None:
        """A step begins: boundaries count from now on."""
        self._boundaries: list[Boundary] = []

    def place(self) -> int:
        """There is no trace; returns 0."""
        return 0

    def boundary(self, phase: Phase) -> int:
        """A phase has ended; returns 0."""
        self._boundaries.append(Boundary(phase, None, torch.mps.current_allocated_memory()))
        return 0

    def end(self) -> AllocatorRecord:
        """The step has ended; returns the allocator's record of it."""
        reserved = torch.mps.driver_allocated_memory()
        return AllocatorRecord(AllocatorFigures(self._boundaries, reserved))


@cache
def allocator_reader(device: torch.device) -> AllocatorReader | None:
    """The device's only reader; None where its allocator keeps no account, or there is none."""
    if device.type == "cuda" and not unaccounted(device):
        return CudaReader(device)
    return MetalReader() if device.type == "mps" else None
