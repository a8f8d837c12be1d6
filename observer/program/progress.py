"""How far the program is, and what its allocators have: said a few times a second.

No call of CUDA is made for it: another thread of the program may be capturing a graph.
"""

from __future__ import annotations

import time

import torch

from ..accounts import unaccounted
from ..private_cuda import allocator_statistics, cuda_started, pinned_host_bytes
from .trace_recorder import gpus_in_use
from .windows import Windows

Message = dict[str, object]


def progress(windows: Windows) -> Message:
    """The message."""
    pacing, on_cuda = windows.pacing, cuda_started()
    counted = on_cuda and unaccounted(torch.device("cuda")) is None
    clock = time.monotonic()
    return {
        "type": "progress",
        "steps": windows.steps.most,
        "watched": windows.shipped,
        "step_seconds": pacing.step_seconds,
        "seconds": pacing.seconds,
        "watching_seconds": pacing.spent,
        "clock": clock,
        "pools": [_pool(device) for device in gpus_in_use()] if counted else [],
        "levels": windows.levels.take(),
        "pinned": pinned_host_bytes() if on_cuda else None,
    }


def _pool(device: torch.device) -> list[object]:
    """What the caching allocator has from the driver, and all that it ever took and gave back."""
    reserved = allocator_statistics(device.index)["reserved_bytes"]["all"]
    uuid = str(getattr(torch.cuda.get_device_properties(device), "uuid", ""))
    turnover = reserved["allocated"] + reserved["freed"]
    return [str(device), uuid, reserved["current"], turnover]
