"""Whether an error means that the device ran out of memory.

PyTorch's allocators raise errors of their own for that. CUDA, its libraries and NVML report a full
GPU in many different words. After such an error the device itself is asked: whether its allocator
had to refuse a request or give cache back since it was last asked, and whether enough memory is
left for those libraries.
"""

from __future__ import annotations

import torch
from vramtop.observer import denials
from vramtop.observer.accounts import unaccounted

# The allocators of the host and of Metal raise plain errors with these texts.
_TEXTS = ("DefaultCPUAllocator: can't allocate memory", "MPS backend out of memory")
_MEMORY_ALLOCATION = 2  # cudaErrorMemoryAllocation
# CUDA and its libraries may need this much at once, for a larger context, a handle or the code of
# kernels. A GPU with less free memory counts as full.
_SPARE_BYTES = 128 * 2**20


class _Attended:
    """The CUDA device in use, and how often its allocator has been short of memory."""

    device: torch.device | None = None
    strains = 0


def attend(device: torch.device) -> None:
    """After errors, ask this CUDA device from now on. Its failures so far do not count."""
    _Attended.device = device
    _Attended.strains = _strains(device)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether the error that was just raised means out of memory, on any device."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    if isinstance(error, torch.AcceleratorError):
        return getattr(error, "error_code", None) == _MEMORY_ALLOCATION
    if any(text in str(error) for text in _TEXTS):
        return True
    # Subclasses have a meaning of their own.
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
    """How many allocations have failed, or have needed the cache to be given back first."""
    if unaccounted(device):
        return 0
    stats = torch.cuda.memory_stats(device)
    failed: int = stats.get("num_ooms", 0) + stats.get("num_alloc_retries", 0)
    return failed
