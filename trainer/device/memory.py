"""A device's memory, and the budget that it is held to.

Does not depend on this trainer. The CPU's allocator cannot be held to a budget; there the ledger
checks it.
"""

from __future__ import annotations

from functools import cache

import psutil
import torch
from vramtop.observer.accounts import unaccounted
from vramtop.observer.settling import settle
from vramtop.protocol.messages import DeviceMemory

from . import memory_errors
from .container import allowance


def enforce(device: torch.device, budget: int | None) -> int | None:
    """Hold the device's memory to `budget` bytes.

    Returns the limit that the ledger must check because the allocator cannot, or None. On the host
    without a budget it comes from the container's limit.
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
    """The part of `budget` that the device grants; CUDA's allocator rounds it to a fraction."""
    if device.type != "cuda" or unaccounted(device):
        return budget
    total = _total(device)
    return int(min(1.0, budget / total) * total)


def limit(device: torch.device, budget: int | None) -> int:
    """Bytes that a training may use on the device: its budget, or what is available now."""
    return allowed(device, budget) if budget is not None else available(device)


def _total(device: torch.device) -> int:
    total: int = torch.cuda.get_device_properties(device).total_memory
    return total


def available(device: torch.device) -> int:
    """Bytes that this process can use on the device now, including what it already holds."""
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
    """Bytes that a step may use where a container limits this process; None without a limit.

    A quarter of what is available before the first training. A step holds at least four times the
    model's size, with gradients and Adam's state; snapshots hold up to eleven times more.
    """
    allowed = allowance()
    return None if allowed is None else allowed.available // 4


def device_memory(device: torch.device) -> DeviceMemory | None:
    """A CUDA device's total and free bytes, as CUDA reports them; None for another device."""
    if device.type != "cuda":
        return None
    free, total = torch.cuda.mem_get_info(device)
    return DeviceMemory(total, free)


def release(device: torch.device) -> int | None:
    """Give the allocator's cache back to the driver.

    First waits until autograd has let go of a step that has ended or failed. Returns how many bytes
    were given back; None on a device whose allocator has no cache or no account of it.
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
