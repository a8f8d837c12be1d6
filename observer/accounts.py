"""Whether a CUDA device's allocator keeps an account of the memory that it allocates."""

from __future__ import annotations

import os
from functools import cache

import torch

UNCACHED = "PYTORCH_NO_CUDA_MEMORY_CACHING"  # any value counts as set


@cache
def unaccounted(device: torch.device) -> str | None:
    """The reason in one line where a CUDA device's allocator keeps no account; else None.

    None for any other device.
    """
    if device.type != "cuda":
        return None
    if UNCACHED in os.environ:
        return f"{UNCACHED} is set, and PyTorch keeps no account of CUDA memory without its cache"
    backend = torch.cuda.get_allocator_backend()
    if backend != "native":
        return f"the CUDA allocator is {backend}, which does not tell what was asked of it"
    return None
