"""The bytes of a step on a CUDA device, from the trace of its allocator.

The journal has noted which storage was seen at which address, and when each operator ended; the
trace has every allocation and release. A block in which a storage was seen is that storage's, from
its allocation to its release. Of all others, a block that an operator took and gave back before it
ended is a buffer of that operator. One that an operator took and kept is a workspace until it is
released. The rest is older than the step, or was made past all operators, and is nobody's.

Times are places in the trace: place n is between event n - 1 and event n. Sizes are bytes as asked
for.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from vramtop.observer.trace import History, NoAccount
from vramtop.protocol.split import Phase

from .anatomy import Change, Life, Log, Mark, Page


class Sighting(NamedTuple):
    """A storage that was alive at `place`, in phase number `page`, and its address.

    It counts from its allocation, a `declared` one from here on.
    """

    place: int
    page: int
    address: int
    life: Life
    declared: bool


class Run(NamedTuple):
    """The run of an operator in phase number `page`, from the end of what was before it."""

    page: int
    begin: int
    end: int
    operation: tuple[object]


@dataclass
class Notes:
    """What a journal notes for an account: sightings, runs, and where each phase ended."""

    sightings: list[Sighting] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    ends: list[tuple[Phase, int]] = field(default_factory=list)


class Total(NamedTuple):
    """Bytes at the end of a phase: the step's, the workspaces', and those that are nobody's."""

    step: int
    workspace: int
    other: int


class Account(NamedTuple):
    """The step's log, the totals at the end of each of its phases, and the mark of its loss.

    `workspaces` are those alive at the end, bytes by address.
    """

    log: Log
    totals: list[Total]
    loss: Mark | None
    workspaces: dict[int, int]


class _Block:
    """A block from its allocation, None if it is older than the step, to its release.

    `life` is whose it is, from its allocation or from where it was `declared`: page and place.
    """

    def __init__(self, address: int, size: int, begin: int | None) -> None:
        self.address, self.size, self.begin = address, size, begin
        self.end: int | None = None
        self.life: Life | None = None
        self.declared: tuple[int, int] | None = None
        self.workspace = False


def account(
    history: History, notes: Notes, workspaces: dict[int, int], loss: tuple[int, int] | None = None
) -> Account:
    """What the step was.

    `workspaces` are those that were known before it; `loss` is the number of the phase in which
    the loss began, and the place.
    Raises `NoAccount` where notes and history contradict each other.
    """
    blocks = _blocks(history)
    start = _give_to_storages(blocks, notes)
    _give_to_operators(blocks, notes, workspaces)
    walk = _Walk(blocks, notes, start)
    pages: list[Page] = []
    totals: list[Total] = []
    mark: Mark | None = None
    for number, steps in enumerate(_steps(blocks, notes)):
        phase, _ = notes.ends[number]
        if loss is not None and loss[0] == number:
            mark = number, sum(step.changes for step in steps if step.place < loss[1])
        pages.append((phase, walk.page(number, phase, steps)))
        totals.append(walk.total)
    kept = {block.address: block.size for block in blocks if block.workspace and block.end is None}
    return Account((start, pages), totals, mark, kept)


def _blocks(history: History) -> list[_Block]:
    """Each block that there was, in the order of allocation, those older than the step first."""
    older = dict(history.blocks)
    for event in reversed(history.events):
        known = older.get(event.address)
        if event.freed and known is None:
            older[event.address] = event.size
        elif not event.freed and known == event.size:
            del older[event.address]
        else:
            raise NoAccount("the allocator's trace contradicts what is allocated")
    blocks = [_Block(address, size, None) for address, size in older.items()]
    alive = {block.address: block for block in blocks}
    for number, event in enumerate(history.events):
        if event.freed:
            alive.pop(event.address).end = number
        else:
            alive[event.address] = block = _Block(event.address, event.size, number)
            blocks.append(block)
    return blocks


def _give_to_storages(blocks: Iterable[_Block], notes: Notes) -> list[tuple[Life, int]]:
    """Note whose the blocks are in which storages were seen; those that the step began with."""
    by_address: dict[int, list[_Block]] = defaultdict(list)
    for block in blocks:
        by_address[block.address].append(block)
    start: list[tuple[Life, int]] = []
    for place, page, address, life, declared in notes.sightings:
        seen_in = _alive_at(place, by_address.get(address, ()))
        if seen_in is None:
            raise NoAccount("a tensor lies in memory that is not the caching allocator's")
        if seen_in.life is not None:
            continue  # two storages upon one block
        seen_in.life = life
        if declared or (seen_in.begin is None and life.phase is not None):
            seen_in.declared = page, place
        elif seen_in.begin is None:
            start.append((life, seen_in.size))
    return start


def _alive_at(place: int, blocks: Iterable[_Block]) -> _Block | None:
    """The one of an address's blocks that was alive then."""
    for block in blocks:
        begun = block.begin is None or block.begin < place
        if begun and (block.end is None or block.end >= place):
            return block
    return None


def _give_to_operators(blocks: Iterable[_Block], notes: Notes, workspaces: dict[int, int]) -> None:
    """Tell the blocks in which no storage was seen apart: buffers, workspaces, and nobody's."""
    ends = [run.end for run in notes.runs]
    for block in blocks:
        if block.life is not None:
            continue
        if block.begin is None:
            block.workspace = workspaces.get(block.address) == block.size
            continue
        number = bisect_right(ends, block.begin)
        if number == len(ends) or notes.runs[number].begin > block.begin:
            continue
        run = notes.runs[number]
        if block.end is None or block.end >= run.end:
            block.workspace = True
        else:
            block.life = Life(0, notes.ends[run.page][0], run.operation)


class _Step(NamedTuple):
    """A block comes (1), goes (-1), or is declared to be its storage's (0)."""

    place: int
    event: bool  # what is declared at a place comes before the event there
    sign: int
    block: _Block

    @property
    def changes(self) -> bool:
        """Whether it belongs into the step's log."""
        life, declared = self.block.life, self.block.declared
        return life is not None and (self.sign <= 0 or declared is None)


def _steps(blocks: Iterable[_Block], notes: Notes) -> Iterator[list[_Step]]:
    """What happened, in order, phase by phase; what came after the last phase is left out."""
    ends = [end for _, end in notes.ends]
    pages: list[list[_Step]] = [[] for _ in (*ends, None)]
    for block in blocks:
        for place, sign in ((block.begin, 1), (block.end, -1)):
            if place is not None:
                pages[bisect_right(ends, place)].append(_Step(place, True, sign, block))
        if block.declared is not None:
            page, place = block.declared
            pages[page].append(_Step(place, False, 0, block))
    for steps in pages[:-1]:
        yield sorted(steps, key=lambda step: (step.place, step.event))


class _Walk:
    """Goes through the step once, from the storages that it began with, and adds up."""

    def __init__(self, blocks: list[_Block], notes: Notes, start: list[tuple[Life, int]]) -> None:
        older = [block for block in blocks if block.begin is None]
        self._step = sum(size for _, size in start)
        self._workspace = sum(block.size for block in older if block.workspace)
        self._other = sum(block.size for block in older) - self._step - self._workspace
        self._runs = notes.runs
        self._ends = [run.end for run in notes.runs]

    @property
    def total(self) -> Total:
        """The bytes now."""
        return Total(self._step, self._workspace, self._other)

    def page(self, number: int, phase: Phase, steps: Iterable[_Step]) -> list[Change]:
        """The changes in a phase."""
        changes: list[Change] = []
        nothing: tuple[object] = ("",)
        operation = nothing  # of the latest allocation
        for place, event, sign, block in steps:
            life, size = block.life, block.size
            if life is None and block.workspace:
                self._workspace += sign * size
            elif life is None or (sign > 0 and block.declared):
                self._other += sign * size
            elif sign < 0:
                self._step -= size
                life.end = phase
                released = self._released(number, place, operation) or nothing
                changes.append((life, -size, released))
            else:
                if not event:
                    self._other -= size
                if life.phase is None:
                    life.phase = phase  # nobody saw its beginning
                self._step += size
                operation = life.operation
                changes.append((life, size, operation))
        return changes

    def _released(self, number: int, place: int, latest: tuple[object]) -> tuple[object] | None:
        """The operation after which something was released; None where none was in this phase.

        What is released before the run of an operator has allocated anything comes before that.
        """
        run = bisect_right(self._ends, place)
        for each in self._runs[run : run + 1]:
            if each.page == number and each.operation is latest:
                return latest
        if run and self._runs[run - 1].page == number:
            return self._runs[run - 1].operation
        return None
