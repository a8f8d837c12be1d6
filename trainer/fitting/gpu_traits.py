"""What a prediction must know of a CUDA device and of its allocator's settings."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
from vramtop.accounting.reductions import PROCESSORS, THREADS
from vramtop.observer.accounts import unaccounted
from vramtop.observer.workspaces import handle_bytes, lt_bytes
from vramtop.trainer.device.alloc_conf import divisions, unmodelled


@dataclass(frozen=True)
class GpuTraits:
    """What sizes inside operators depend on.

    `processors` is the number of multiprocessors, `threads` the threads that each of them holds.
    `workspace` is the bytes that a cuBLAS handle takes at its first use and keeps; `lt_workspace`
    those that cuBLASLt takes for itself. The allocator rounds sizes up by `divisions` (see
    `caching`). `unmodelled` names its other settings, which the simulated allocator ignores.
    """

    processors: int = PROCESSORS
    threads: int = THREADS
    workspace: int = 33_554_432
    lt_workspace: int = 0
    divisions: tuple[int, ...] = ()
    unmodelled: tuple[str, ...] = ()


# The GPU assumed where none can be asked; the defaults above are its traits.
ASSUMED = "H100"


def gpu_traits(device: torch.device) -> GpuTraits | None:
    """The traits of this CUDA device; None for another device or without an account of it."""
    if device.type != "cuda" or unaccounted(device):
        return None
    properties = torch.cuda.get_device_properties(device)
    return GpuTraits(
        properties.multi_processor_count,
        properties.max_threads_per_multi_processor,
        handle_bytes(device),
        lt_bytes(),
        divisions(os.environ),
        unmodelled(os.environ),
    )
