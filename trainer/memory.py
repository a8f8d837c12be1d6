"""What a device's allocator says, and the budget it is given.

Knows PyTorch and nothing of this trainer. A CPU has no such allocator: there the ledger enforces
the budget, and there is no gauge.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Protocol

import psutil
import torch

from . import denials, fullness
from .accounts import unaccounted
from .container import allowance
from .split import AllocatorMemory, Phase, Reading


class Gauge(Protocol):
    """Reads a device's allocator while a step is recorded, operator by operator."""

    def start(self) -> None:
        """A step begins: peaks and boundaries are those from now on."""

    def before(self) -> None:
        """An operator is about to run."""

    def after(self, held: int) -> int:
        """The operator has run and left `held` bytes more in tensors.

        Returns the bytes that it took and gave back within.
        """

    def boundary(self, phase: Phase) -> None:
        """A phase has ended."""

    def read(self) -> AllocatorMemory:
        """The step's figures, right after its end."""


class CudaGauge:
    """Reads a CUDA device's caching allocator while a step is recorded, operator by operator.

    Some memory no tensor ever holds. An operator may take a buffer and give it back before it ends
    (PyTorch's reductions do), and cuBLAS's workspaces are taken at first use and kept for good.
    `workspace` counts those, in bytes, since the process began.
    """

    def __init__(self, device: torch.device) -> None:
        denials.watch()
        self._device = device
        self.workspace = 0
        self._taken: list[int] = []  # what the workspace came in, or went

    def start(self) -> None:
        """A step begins: peaks and boundaries are those from now on."""
        now = self._statistics()
        self._requested_peak = now["requested_bytes"]["all"]["current"]
        self._allocated_peak = now["allocated_bytes"]["all"]["current"]
        self._boundaries: dict[Phase, Reading] = {}

    def before(self) -> None:
        """An operator is about to run."""
        torch.cuda.reset_peak_memory_stats(self._device)
        self._before = self._statistics()["requested_bytes"]["all"]["current"]

    def after(self, held: int) -> int:
        """The operator has run and left `held` bytes more in tensors.

        Returns the bytes that it took and gave back within.
        """
        now = self._statistics()
        requested = now["requested_bytes"]["all"]
        self._requested_peak = max(self._requested_peak, requested["peak"])
        self._allocated_peak = max(self._allocated_peak, now["allocated_bytes"]["all"]["peak"])
        current: int = requested["current"]
        if grown := current - self._before - held:
            self.workspace += grown
            self._taken.append(grown)
        within: int = requested["peak"] - max(current, self._before)
        return within

    def boundary(self, phase: Phase) -> None:
        """A phase has ended."""
        now = self._statistics()
        self._boundaries[phase] = Reading(
            requested=now["requested_bytes"]["all"]["current"],
            allocated=now["allocated_bytes"]["all"]["current"],
        )

    def read(self) -> AllocatorMemory:
        """The step's figures, right after its end."""
        now = self._statistics()
        return AllocatorMemory(
            boundaries=self._boundaries,
            reserved=now["reserved_bytes"]["all"]["current"],
            inactive=now["inactive_split_bytes"]["all"]["current"],
            allocated_peak=self._allocated_peak,
            requested_peak=self._requested_peak,
            workspace=self.workspace,
            retries=now["num_alloc_retries"],
            shortages=now["num_ooms"],
            workspace_each=self._taken[0] if len(set(self._taken)) == 1 else None,
        )

    def _statistics(self) -> dict[str, Any]:
        return torch.cuda.memory_stats_as_nested_dict(self._device)


class MetalGauge:
    """Reads the allocator of an Apple GPU, which tells what is live and what it has, no more."""

    def start(self) -> None:
        """A step begins: boundaries are those from now on."""
        self._boundaries: dict[Phase, Reading] = {}

    def before(self) -> None:
        """An operator is about to run: nothing to note."""

    def after(self, held: int) -> int:
        """What an operator takes and gives back within, nobody tells."""
        del held
        return 0

    def boundary(self, phase: Phase) -> None:
        """A phase has ended."""
        self._boundaries[phase] = Reading(None, torch.mps.current_allocated_memory())

    def read(self) -> AllocatorMemory:
        """The step's figures, right after its end."""
        return AllocatorMemory(self._boundaries, torch.mps.driver_allocated_memory())


@cache
def gauge(device: torch.device) -> Gauge | None:
    """The device's one gauge, since its workspaces are the process's.

    None without an allocator, or without its account.
    """
    if device.type == "cuda" and not unaccounted(device):
        return CudaGauge(device)
    return MetalGauge() if device.type == "mps" else None


def enforce(device: torch.device, budget: int | None) -> int | None:
    """Hold the device's memory to `budget` bytes.

    Returns the limit that the ledger must keep because the allocator cannot, None otherwise. On the
    host without a budget that is what a container allows.
    """
    if device.type == "cuda":
        fullness.attend(device)
    if device.type == "cpu" and budget is None:
        return _container_room()
    if device.type != "cuda" or unaccounted(device):
        return budget
    fraction = 1.0 if budget is None else min(1.0, budget / _total(device))
    torch.cuda.set_per_process_memory_fraction(fraction, device)
    return None


def allowed(device: torch.device, budget: int) -> int:
    """What of `budget` the device grants: CUDA's allocator is given a fraction, and rounds it."""
    if device.type != "cuda" or unaccounted(device):
        return budget
    total = _total(device)
    return int(min(1.0, budget / total) * total)


def limit(device: torch.device, budget: int | None) -> int:
    """Bytes that a training may have on the device: its budget, or what there is at this moment."""
    return allowed(device, budget) if budget is not None else available(device)


def _total(device: torch.device) -> int:
    total: int = torch.cuda.get_device_properties(device).total_memory
    return total


def available(device: torch.device) -> int:
    """Bytes that this process could have on the device at this moment, with what it has already."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device)
    if device.type == "mps":
        return torch.mps.recommended_max_memory()
    host: int = psutil.virtual_memory().available
    room = _container_room()
    return host if room is None else min(host, room)


@cache
def _container_room() -> int | None:
    """What a step may have where a container limits this process; None where none does.

    A quarter of what is there before the first training. A step holds a model at least four times,
    with gradients and Adam's state, and snapshots to go back to hold it up to eleven times more.
    """
    allowed = allowance()
    return None if allowed is None else allowed.available // 4


def of_device(device: torch.device) -> tuple[int, int] | None:
    """A CUDA device's bytes in all, and those that nobody holds; None of another device."""
    if device.type != "cuda":
        return None
    free, total = torch.cuda.mem_get_info(device)
    return total, free


def release(device: torch.device) -> int | None:
    """Give back to the driver what the allocator only keeps in store.

    Returns how many bytes that was; None on a device whose allocator keeps nothing.
    """
    if unaccounted(device):
        torch.cuda.empty_cache()
    elif device.type == "cuda":
        before = torch.cuda.memory_reserved(device)
        torch.cuda.empty_cache()
        return before - torch.cuda.memory_reserved(device)
    if device.type == "mps":
        held = torch.mps.driver_allocated_memory()
        torch.mps.empty_cache()
        return held - torch.mps.driver_allocated_memory()
    return None
