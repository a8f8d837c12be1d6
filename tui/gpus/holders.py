"""Who holds the device's memory: parts that always add up to the whole.

The numbers come from different moments: NVML's of the card, the allocator's of the last step that
was looked at. NVML's total, reserved and free set the frame; what is ours within it is told apart
by the allocator as far as it reaches, and what then is left of ours is the context. So a sum never
disagrees with its whole; at worst the parts of ours are a moment old.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from vramtop.protocol.gpus import Card
from vramtop.protocol.split import AllocatorMemory

from .cards import held, occupancy

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


class Held(msgspec.Struct, frozen=True):
    """A holder and its bytes; where it holds none it is left out."""

    holder: Holder
    bytes: int


def of_card(card: Card, pid: int | None, memory: AllocatorMemory | None) -> tuple[Held, ...] | None:
    """Who holds a card's memory, in the order of a bar; None where NVML tells no total.

    `pid` is our process, `memory` what its allocator said last. Where NVML does not list our
    process (as in many containers), what it has beyond its allocator is among the others.
    """
    listed = None if pid is None else held(card, {pid})
    seen = occupancy(card, memory.reserved if listed is None and memory else listed)
    if seen is None:
        return None
    others: Holder = "others and context" if listed is None and memory else "others"
    sizes: dict[Holder, int] = {
        "driver": seen.driver or 0,
        others: seen.others,
        **_within(seen.ours or 0, memory),
        "free": seen.free,
    }
    return _held(sizes)


def of_allocator(total: int, memory: AllocatorMemory) -> tuple[Held, ...]:
    """The holders as far as our allocator knows them, where nobody tells of the card itself."""
    rest = max(0, total - memory.reserved)
    return _held({**_within(memory.reserved, memory), "others or free": rest})


def _held(sizes: dict[Holder, int]) -> tuple[Held, ...]:
    return tuple(Held(holder, size) for holder, size in sizes.items() if size)


def _within(ours: int, memory: AllocatorMemory | None) -> dict[Holder, int]:
    """What `ours` bytes are made of, the context first; the parts add up to them."""
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
