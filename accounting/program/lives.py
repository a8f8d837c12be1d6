"""The lives of blocks: each from its allocation to its release."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from vramtop.protocol.observed.record import WatchedStep

from .consistency import NoReport

_OLDER = -1  # stands for the birth of a life that began before the window


@dataclass(slots=True, eq=False)
class Life:
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
        """Whether it had begun before this place and was not yet released there."""
        return (self.birth is None or self.birth < place) and (
            self.release is None or self.release >= place
        )


class Lives:
    """All lives of a window: those `older` than it, and the one that each event begins or ends."""

    def __init__(self, older: list[Life], of_event: list[Life]) -> None:
        self.older, self.of_event = older, of_event
        self._at: dict[int, tuple[list[int], list[Life]]] = {}
        for life in self:
            births, lives = self._at.setdefault(life.address, ([], []))
            births.append(_OLDER if life.birth is None else life.birth)
            lives.append(life)
        self._addresses = sorted(self._at)

    def __iter__(self) -> Iterator[Life]:
        """Each once, in the order of birth."""
        yield from self.older
        for number, life in enumerate(self.of_event):
            if life.birth == number:
                yield life

    def at(self, address: int, place: int) -> Life | None:
        """The life that this address lies in, be it in its middle.

        None where no block has it: such memory is not the caching allocator's.
        """
        # Blocks alive at the same place do not overlap: only the nearest one below can have it.
        for position in range(bisect_right(self._addresses, address) - 1, -1, -1):
            births, lives = self._at[self._addresses[position]]
            latest = bisect_left(births, place) - 1
            if latest >= 0 and lives[latest].alive_at(place):
                life = lives[latest]
                return life if address < life.address + life.size else None
        return None


def lives_of(step: WatchedStep) -> Lives:
    """The lives in a window. Raises `NoReport` where events and blocks contradict each other."""
    events = step.events
    older = _older(step)
    alive = {life.address: life for life in older}
    of_event = []
    rows = zip(events.addresses, events.sizes, events.lines, events.modules, strict=True)
    for number, (address, size, line, module) in enumerate(rows):
        if size > 0:
            alive[address] = life = Life(address, size, number, None, line, module)
        else:
            life = alive.pop(address)
            life.release = number
        of_event.append(life)
    for (address, _), line in zip(step.blocks, step.block_lines, strict=False):
        if alive[address].birth is None:
            alive[address].line = line
    return Lives(older, of_event)


def _older(step: WatchedStep) -> list[Life]:
    """What was alive when the window began: a walk back from what is alive at its end."""
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
    return [Life(address, size) for address, size in alive.items()]
