"""A device's memory, and the budget it is given.

Knows PyTorch and nothing of this trainer. A CPU has no allocator that could be held to a budget:
there the ledger enforces it.
"""

from __future__ import annotations

from functools import cache

import psutil
import torch
from vramtop.observer.accounts import unaccounted
from vramtop.observer.settling import settle

from . import memory_errors
from .container import allowance


def enforce(device: torch.device, budget: int | None) -> int | None:
    """Hold the device's memory to `budget` bytes.

    Returns the limit that the ledger must keep because the allocator cannot, None otherwise. On the
    host without a budget that is what a container allows.
    """
    if device.type == "cuda":
        memory_errors.attend(device)
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

    Waits for what autograd still holds of a step that has ended or failed. Returns how many bytes
    were given back; None on a device whose allocator keeps nothing.
    """
    if unaccounted(device):
        torch.cuda.empty_cache()
    elif device.type == "cuda":
        settle(device)
        before = torch.cuda.memory_reserved(device)
        torch.cuda.empty_cache()
        return before - torch.cuda.memory_reserved(device)
    if device.type == "mps":
        held = torch.mps.driver_allocated_memory()
        torch.mps.empty_cache()
        return held - torch.mps.driver_allocated_memory()
    return None
