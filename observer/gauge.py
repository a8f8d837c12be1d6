"""What a device's allocator says of a step while it is recorded.

Knows PyTorch and nothing of this trainer. A CPU has no such allocator, and there is no gauge.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Protocol

import torch
from vramtop.accounting.account import Account, Notes, account
from vramtop.protocol.split import AllocatorMemory, Phase, Reading

from . import denials, settling
from .accounts import unaccounted
from .trace import NoAccount, Trace


class Gauge(Protocol):
    """Reads a device's allocator while a step is recorded.

    Where it is `traced`, it tells each allocation and release, and places among them.
    """

    traced: bool

    def start(self) -> None:
        """A step begins: peaks, places and boundaries are those from now on."""

    def place(self) -> int:
        """How many allocations and releases there were since the step began."""

    def boundary(self, phase: Phase) -> int:
        """A phase has ended, at this place."""

    def end(self, notes: Notes | None, loss: tuple[int, int] | None) -> Account | None:
        """The step has ended; what it was, by what was noted, where the allocator is traced.

        Raises `NoAccount` where that is not known.
        """

    def read(self) -> AllocatorMemory:
        """The step's figures, right after its end."""


class CudaGauge:
    """Reads a CUDA device's caching allocator, by its trace.

    Some memory no tensor ever holds. An operator may take a buffer and give it back before it ends
    (PyTorch's reductions do), and cuBLAS's workspaces are taken at first use and kept for good.
    The trace has them all. A workspace is known by its address from then on.
    """

    traced = True

    def __init__(self, device: torch.device) -> None:
        denials.watch()
        settling.prepare(device)
        self._device = device
        self._trace = Trace(device)
        self._workspaces: dict[int, int] = {}

    def start(self) -> None:
        """A step begins: peaks, places and boundaries are those from now on."""
        self._boundaries: list[tuple[Phase, Reading]] = []
        self._account: Account | None = None
        settling.settle(self._device)  # gradients of the step before may still be held
        torch.cuda.reset_peak_memory_stats(self._device)
        self._trace.start()

    def place(self) -> int:
        """How many allocations and releases there were since the step began."""
        return self._trace.place(self._statistics())

    def boundary(self, phase: Phase) -> int:
        """A phase has ended, at this place; a backward pass, once autograd holds nothing of it."""
        if phase == "backward":
            settling.settle(self._device)
        now = self._statistics()
        requested = now["requested_bytes"]["all"]["current"]
        allocated = now["allocated_bytes"]["all"]["current"]
        self._boundaries.append((phase, Reading(requested, allocated)))
        return self._trace.place(now)

    def end(self, notes: Notes | None, loss: tuple[int, int] | None) -> Account:
        """The step has ended; what it was, by what was noted.

        Raises `NoAccount` where that is not known.
        """
        self._figures = self._statistics()
        history = self._trace.stop()
        found = account(history, notes or Notes(), self._workspaces, loss)
        self._workspaces = found.workspaces
        for (phase, reading), total in zip(self._boundaries, found.totals, strict=True):
            if sum(total) != reading.requested or min(total) < 0:
                raise NoAccount(
                    f"at the end of {phase} the allocator has {reading.requested:,} B, "
                    f"and its trace makes {total.step:,} of the step's, {total.workspace:,} of "
                    f"workspaces and {total.other:,} of older ones"
                )
        self._boundaries = [
            (phase, Reading(reading.requested, reading.allocated, total.workspace, total.other))
            for (phase, reading), total in zip(self._boundaries, found.totals, strict=True)
        ]
        self._account = found
        return found

    def read(self) -> AllocatorMemory:
        """The step's figures, right after its end."""
        now, found = self._figures, self._account
        sizes = set(self._workspaces.values())
        return AllocatorMemory(
            boundaries=dict(self._boundaries),
            reserved=now["reserved_bytes"]["all"]["current"],
            inactive=now["inactive_split_bytes"]["all"]["current"],
            allocated_peak=now["allocated_bytes"]["all"]["peak"],
            requested_peak=now["requested_bytes"]["all"]["peak"],
            workspace=found.totals[-1].workspace if found else None,
            retries=now["num_alloc_retries"],
            shortages=now["num_ooms"],
            workspace_each=min(sizes) if found and len(sizes) == 1 else None,
        )

    def _statistics(self) -> dict[str, Any]:
        return torch.cuda.memory_stats_as_nested_dict(self._device)


class MetalGauge:
    """Reads the allocator of an Apple GPU, which tells what is live and what it has, no more."""

    traced = False

    def start(self) -> None:
        """A step begins: boundaries are those from now on."""
        self._boundaries: dict[Phase, Reading] = {}

    def place(self) -> int:
        """How many allocations and releases there were, nobody tells."""
        return 0

    def boundary(self, phase: Phase) -> int:
        """A phase has ended."""
        self._boundaries[phase] = Reading(None, torch.mps.current_allocated_memory())
        return 0

    def end(self, notes: Notes | None, loss: tuple[int, int] | None) -> None:
        """The step has ended; what it was, the allocator does not tell."""
        del notes, loss
        self._reserved = torch.mps.driver_allocated_memory()

    def read(self) -> AllocatorMemory:
        """The step's figures, right after its end."""
        return AllocatorMemory(self._boundaries, self._reserved)


@cache
def gauge(device: torch.device) -> Gauge | None:
    """The device's one gauge, since its workspaces are the process's.

    None without an allocator, or without its account.
    """
    if device.type == "cuda" and not unaccounted(device):
        return CudaGauge(device)
    return MetalGauge() if device.type == "mps" else None
