"""Whether an operator failed because there was not enough memory for it.

PyTorch's allocators have errors of their own for that. What CUDA, its libraries and NVML say on a
full card comes in many words instead, so after any other error on a CUDA device it is the device
that is asked: whether its allocator had to deny or give something back since it was last asked, or
whether there is nothing left of it for those libraries.
"""

from __future__ import annotations

import torch
from vramtop.observer import denials
from vramtop.observer.accounts import unaccounted

# The host's and Metal's allocators raise plain errors, each with its own text.
_TEXTS = ("DefaultCPUAllocator: can't allocate memory", "MPS backend out of memory")
_MEMORY_ALLOCATION = 2  # cudaErrorMemoryAllocation
# What CUDA and its libraries may want of the driver at once, for a context's growth, a handle or
# the code of kernels; less than that left is a full card.
_SPARE_BYTES = 128 * 2**20


class _Attended:
    """The CUDA device in use, and how often its allocator was short of memory so far."""

    device: torch.device | None = None
    strains = 0


def attend(device: torch.device) -> None:
    """This CUDA device is in use from now on, and what it was short of until now is known."""
    _Attended.device = device
    _Attended.strains = _strains(device)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether the error that was just raised means a facts of memory, on any device."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    if isinstance(error, torch.AcceleratorError):
        return getattr(error, "error_code", None) == _MEMORY_ALLOCATION
    if any(text in str(error) for text in _TEXTS):
        return True
    # Its subclasses say what they mean.
    return type(error) is RuntimeError and _lacks_memory()


def _lacks_memory() -> bool:
    device = _Attended.device
    if device is None:
        return False
    denied = denials.pending()
    try:
        strains = _strains(device)
        free, _ = torch.cuda.mem_get_info(device)
    except RuntimeError:
        return denied  # a device that has failed for good
    grown, _Attended.strains = strains > _Attended.strains, strains
    return denied or grown or free < _SPARE_BYTES


def _strains(device: torch.device) -> int:
    """Allocations so far that failed, or needed the cache to be given back first."""
    if unaccounted(device):
        return 0
    told = torch.cuda.memory_stats(device)
    failed: int = told.get("num_ooms", 0) + told.get("num_alloc_retries", 0)
    return failed
