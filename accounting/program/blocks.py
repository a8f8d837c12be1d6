"""The blocks of memory in a window: each from its allocation to its release."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from vramtop.protocol.observed.record import WatchedStep

from .consistency import NoReport

_OLDER = -1  # stands for the birth of a block that is older than the window


@dataclass(slots=True, eq=False)
class Block:
    """A block of memory from its allocation to its release.

    `birth` is the number of the event that allocated it, None if it is older than the window.
    `release` is the event that released it, None if it was alive at the window's end. `line` and
    `module` are numbers as in the events. Of what is older, only a block that is alive at the end
    has a line.
    """

    address: int
    size: int
    birth: int | None = None
    release: int | None = None
    line: int = -1
    module: int = -1

    def alive_at(self, place: int) -> bool:
        """Whether it was allocated before this place, and is not yet released there."""
        return (self.birth is None or self.birth < place) and (
            self.release is None or self.release >= place
        )


class Blocks:
    """All blocks: those `older` than the window, and the one that each event makes or releases."""

    def __init__(self, older: list[Block], of_event: list[Block]) -> None:
        self.older, self.of_event = older, of_event
        self._at: dict[int, tuple[list[int], list[Block]]] = {}
        for block in self:
            births, blocks = self._at.setdefault(block.address, ([], []))
            births.append(_OLDER if block.birth is None else block.birth)
            blocks.append(block)
        self._addresses = sorted(self._at)

    def __iter__(self) -> Iterator[Block]:
        """Each once, in the order of birth."""
        yield from self.older
        for number, block in enumerate(self.of_event):
            if block.birth == number:
                yield block

    def at(self, address: int, place: int) -> Block | None:
        """The block that has this address at this place, at its begin or within it.

        None where there is none: such memory is not the caching allocator's.
        """
        # Blocks alive at the same place do not overlap: only the nearest one below can have it.
        for position in range(bisect_right(self._addresses, address) - 1, -1, -1):
            births, blocks = self._at[self._addresses[position]]
            latest = bisect_left(births, place) - 1
            if latest >= 0 and blocks[latest].alive_at(place):
                block = blocks[latest]
                return block if address < block.address + block.size else None
        return None


def blocks_of(step: WatchedStep) -> Blocks:
    """The blocks in a window. Raises `NoReport` where events and blocks contradict each other."""
    events = step.events
    older = _older(step)
    alive = {block.address: block for block in older}
    of_event = []
    rows = zip(events.addresses, events.sizes, events.lines, events.modules, strict=True)
    for number, (address, size, line, module) in enumerate(rows):
        if size > 0:
            alive[address] = block = Block(address, size, number, None, line, module)
        else:
            block = alive.pop(address)
            block.release = number
        of_event.append(block)
    for (address, _), line in zip(step.blocks, step.block_lines, strict=False):
        if alive[address].birth is None:
            alive[address].line = line
    return Blocks(older, of_event)


def _older(step: WatchedStep) -> list[Block]:
    """The blocks alive when the window began, found backwards from those alive at its end."""
    alive = dict(step.blocks)
    if len(alive) != len(step.blocks):
        raise NoReport("two blocks at the window's end have the same address")
    addresses, sizes = step.events.addresses, step.events.sizes
    for number in range(len(sizes) - 1, -1, -1):
        address, size = addresses[number], sizes[number]
        after = alive.get(address)
        if size < 0 and after is None:
            alive[address] = -size
        elif size > 0 and after == size:
            del alive[address]
        else:
            held = "nothing" if after is None else f"{after:,} B"
            raise NoReport(
                f"event {number} changes address {address:#x} by {size:,} B, "
                f"and later events and blocks say that {held} is there after it"
            )
    return [Block(address, size) for address, size in alive.items()]
