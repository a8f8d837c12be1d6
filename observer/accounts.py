"""Whether a CUDA device's allocator keeps an account of what it gives out."""

from __future__ import annotations

import os
from functools import cache

import torch

UNCACHED = "PYTORCH_NO_CUDA_MEMORY_CACHING"  # whatever its value


@cache
def unaccounted(device: torch.device) -> str | None:
    """Why it is not known what a CUDA device's allocator holds; None where it is known.

    None also for a device of another kind.
    """
    if device.type != "cuda":
        return None
    if UNCACHED in os.environ:
        return f"{UNCACHED} is set, and PyTorch keeps no account of CUDA memory without its cache"
    backend = torch.cuda.get_allocator_backend()
    if backend != "native":
        return f"the CUDA allocator is {backend}, which does not tell what was asked of it"
    return None
