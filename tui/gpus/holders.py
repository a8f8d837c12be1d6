"""Who holds the device's memory: parts that always add up to the whole.

NVML gives the whole: total, reserved and free, and the bytes of our process. The allocator splits
our bytes; the rest of ours is the CUDA context. The allocator's numbers are of the last observed
step, so they can be older than NVML's. They are then limited to our bytes.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from vramtop.protocol.gpus import Gpu
from vramtop.protocol.split import AllocatorMemory

from .conclusions import occupancy, used_by

Holder = Literal[
    "driver",
    "others",
    "others and context",
    "context",
    "older",
    "workspace",
    "step",
    "rounding",
    "cache",
    "others or free",
    "free",
]


class HolderBytes(msgspec.Struct, frozen=True):
    """A holder and its bytes; a holder of no bytes is left out."""

    holder: Holder
    bytes: int


def of_gpu(
    gpu: Gpu, pid: int | None, memory: AllocatorMemory | None
) -> tuple[HolderBytes, ...] | None:
    """Who holds a GPU's memory, in the order of a bar; None where NVML gives no total.

    `pid` is our process, `memory` its allocator's latest numbers. Where NVML does not list our
    process, as in many containers, its context counts among the others.
    """
    listed = None if pid is None else used_by(gpu, {pid})
    seen = occupancy(gpu, memory.reserved if listed is None and memory else listed)
    if seen is None:
        return None
    others: Holder = "others and context" if listed is None and memory else "others"
    sizes: dict[Holder, int] = {
        "driver": seen.driver or 0,
        others: seen.others,
        **_within(seen.ours or 0, memory),
        "free": seen.free,
    }
    return _parts(sizes)


def of_allocator(total: int, memory: AllocatorMemory) -> tuple[HolderBytes, ...]:
    """The holders by our allocator alone, for a device of which nothing else is known."""
    rest = max(0, total - memory.reserved)
    return _parts({**_within(memory.reserved, memory), "others or free": rest})


def _parts(sizes: dict[Holder, int]) -> tuple[HolderBytes, ...]:
    return tuple(HolderBytes(holder, size) for holder, size in sizes.items() if size)


def _within(ours: int, memory: AllocatorMemory | None) -> dict[Holder, int]:
    """The parts of `ours` bytes, the context first; they add up to `ours`."""
    left, parts = ours, dict[Holder, int]()
    if memory is not None:
        workspace, rounding = memory.workspace or 0, memory.rounding or 0
        older = memory.end.other
        wanted: dict[Holder, int] = {
            "older": older,
            "workspace": workspace,
            "step": memory.end.allocated - rounding - workspace - older,
            "rounding": rounding,
            "cache": memory.cache,
        }
        for holder, size in wanted.items():
            parts[holder] = min(size, left)
            left -= parts[holder]
    return {"context": left, **parts}
