"""The bytes of a step on a CUDA device, from the trace of its allocator.

The step has noted which storage was seen at which address, and when each operator ended. The trace
has every allocation and release. A block in which a storage was seen is that storage's, from its
allocation to its release. Of all others, a block that an operator took and gave back before it
ended is a buffer of that operator. One that an operator took and kept is a workspace until it is
released. The rest is older than the step, or was made outside all operators, and is nobody's.

Sizes are bytes as asked for.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from vramtop.protocol.split import Phase

from .records import Change, LogPosition, PhaseLog, StepLog, StepTrace, StorageRecord

_NOTHING = 0  # the run of no operator


class NoAccount(Exception):
    """It is not known what the bytes on a device are; the message says why, in one line."""


class Total(NamedTuple):
    """Bytes at the end of a phase: the step's, those of workspaces, and those that are nobody's."""

    step: int
    workspace: int
    other: int


class Account(NamedTuple):
    """The step's log as the trace has it, and the totals at the end of each of its phases.

    `workspaces` are those alive at the end, bytes by address.
    """

    log: StepLog
    totals: list[Total]
    workspaces: dict[int, int]


class _Block:
    """A block from its allocation (None if it is older than the step) to its release.

    It is memory of `storage`, from its allocation or from where that was `declared`: the number of
    the phase, and the place.
    """

    def __init__(self, address: int, size: int, begin: int | None) -> None:
        self.address, self.size, self.begin = address, size, begin
        self.end: int | None = None
        self.storage: int | None = None
        self.declared: tuple[int, int] | None = None
        self.workspace = False


def account(log: StepLog, trace: StepTrace, workspaces: Mapping[int, int]) -> Account:
    """What the step was, by its trace; `workspaces` are those that were known before it.

    Raises `NoAccount` where log and trace contradict each other.
    """
    blocks = _blocks(trace)
    storages = list(log.storages)
    start = _give_to_storages(blocks, trace, storages)
    _give_to_operators(blocks, trace, workspaces, storages)
    walk = _Walk(blocks, trace, storages, start)
    phases: list[PhaseLog] = []
    totals: list[Total] = []
    loss: LogPosition | None = None
    for number, steps in enumerate(_steps(blocks, trace)):
        phase, _ = trace.ends[number]
        if log.loss is not None and trace.loss is not None and log.loss[0] == number:
            loss = number, sum(step.changes for step in steps if step.place < trace.loss)
        phases.append((phase, walk.changes(number, phase, steps)))
        totals.append(walk.total)
    kept = {block.address: block.size for block in blocks if block.workspace and block.end is None}
    return Account(StepLog(walk.storages(), start, phases, log.operators, loss), totals, kept)


def _blocks(trace: StepTrace) -> list[_Block]:
    """Each block that there was, in the order of allocation, those older than the step first."""
    older = dict(trace.blocks)
    for freed, address, size in reversed(trace.events):
        known = older.get(address)
        if freed and known is None:
            older[address] = size
        elif not freed and known == size:
            del older[address]
        else:
            raise NoAccount("the allocator's trace contradicts what is allocated")
    blocks = [_Block(address, size, None) for address, size in older.items()]
    alive = {block.address: block for block in blocks}
    for number, (freed, address, size) in enumerate(trace.events):
        if freed:
            alive.pop(address).end = number
        else:
            alive[address] = block = _Block(address, size, number)
            blocks.append(block)
    return blocks


def _give_to_storages(
    blocks: Iterable[_Block], trace: StepTrace, storages: list[StorageRecord]
) -> list[tuple[int, int]]:
    """Note whose the blocks are in which storages were seen; those that the step began with."""
    by_address: dict[int, list[_Block]] = defaultdict(list)
    for block in blocks:
        by_address[block.address].append(block)
    start: list[tuple[int, int]] = []
    for place, phase, address, storage, declared in trace.sightings:
        seen_in = _alive_at(place, by_address.get(address, ()))
        if seen_in is None:
            raise NoAccount("a tensor lies in memory that is not the caching allocator's")
        if seen_in.storage is not None:
            continue  # two storages upon one block
        seen_in.storage = storage
        if declared or (seen_in.begin is None and storages[storage].born is not None):
            seen_in.declared = phase, place
        elif seen_in.begin is None:
            start.append((storage, seen_in.size))
    return start


def _alive_at(place: int, blocks: Iterable[_Block]) -> _Block | None:
    """The one of an address's blocks that was alive then."""
    for block in blocks:
        begun = block.begin is None or block.begin < place
        if begun and (block.end is None or block.end >= place):
            return block
    return None


def _give_to_operators(
    blocks: Iterable[_Block],
    trace: StepTrace,
    workspaces: Mapping[int, int],
    storages: list[StorageRecord],
) -> None:
    """Tell the blocks in which no storage was seen apart: buffers, workspaces, and nobody's.

    A buffer becomes a storage too.
    """
    ends = [end for _, _, end, _ in trace.runs]
    for block in blocks:
        if block.storage is not None:
            continue
        if block.begin is None:
            block.workspace = workspaces.get(block.address) == block.size
            continue
        number = bisect_right(ends, block.begin)
        if number == len(ends):
            continue
        phase, begin, end, run = trace.runs[number]
        if begin > block.begin:
            continue
        if block.end is None or block.end >= end:
            block.workspace = True
        else:
            block.storage = len(storages)
            storages.append(StorageRecord(0, trace.ends[phase][0], None, run))


class _Step(NamedTuple):
    """A block comes (1), goes (-1), or is declared to be its storage's (0)."""

    place: int
    event: bool  # what is declared at a place comes before the event there
    sign: int
    block: _Block

    @property
    def changes(self) -> bool:
        """Whether it belongs into the step's log."""
        storage, declared = self.block.storage, self.block.declared
        return storage is not None and (self.sign <= 0 or declared is None)


def _steps(blocks: Iterable[_Block], trace: StepTrace) -> Iterator[list[_Step]]:
    """What happened, in order, phase by phase; what came after the last phase is left out."""
    ends = [end for _, end in trace.ends]
    phases: list[list[_Step]] = [[] for _ in (*ends, None)]
    for block in blocks:
        for place, sign in ((block.begin, 1), (block.end, -1)):
            if place is not None:
                phases[bisect_right(ends, place)].append(_Step(place, True, sign, block))
        if block.declared is not None:
            phase, place = block.declared
            phases[phase].append(_Step(place, False, 0, block))
    for steps in phases[:-1]:
        yield sorted(steps, key=lambda step: (step.place, step.event))


class _Walk:
    """Goes through the step once, from the storages that it began with, and adds up."""

    def __init__(
        self,
        blocks: list[_Block],
        trace: StepTrace,
        storages: list[StorageRecord],
        start: list[tuple[int, int]],
    ) -> None:
        older = [block for block in blocks if block.begin is None]
        self._step = sum(size for _, size in start)
        self._workspace = sum(block.size for block in older if block.workspace)
        self._other = sum(block.size for block in older) - self._step - self._workspace
        self._storages = storages
        self._born = [storage.born for storage in storages]
        self._gone = [storage.gone for storage in storages]
        self._runs = trace.runs
        self._ends = [end for _, _, end, _ in trace.runs]

    @property
    def total(self) -> Total:
        """The bytes now."""
        return Total(self._step, self._workspace, self._other)

    def storages(self) -> list[StorageRecord]:
        """The storages, born and gone when the trace says so."""
        return [
            record._replace(born=born, gone=gone)
            for record, born, gone in zip(self._storages, self._born, self._gone, strict=True)
        ]

    def changes(self, number: int, phase: Phase, steps: Iterable[_Step]) -> list[Change]:
        """The changes in a phase."""
        changes: list[Change] = []
        run = _NOTHING  # of the latest allocation
        for place, event, sign, block in steps:
            storage, size = block.storage, block.size
            if storage is None and block.workspace:
                self._workspace += sign * size
            elif storage is None or (sign > 0 and block.declared):
                self._other += sign * size
            elif sign < 0:
                self._step -= size
                self._gone[storage] = phase
                changes.append((storage, -size, self._released(number, place, run)))
            else:
                if not event:
                    self._other -= size
                if self._born[storage] is None:
                    self._born[storage] = phase  # nobody saw its beginning
                self._step += size
                run = self._storages[storage].run
                changes.append((storage, size, run))
        return changes

    def _released(self, number: int, place: int, latest: int) -> int:
        """The run after which something was released, `_NOTHING` where none was in this phase.

        What is released before the run of an operator has allocated anything comes before that.
        """
        at = bisect_right(self._ends, place)
        for phase, _, _, run in self._runs[at : at + 1]:
            if phase == number and run == latest:
                return run
        if at:
            phase, _, _, run = self._runs[at - 1]
            if phase == number:
                return run
        return _NOTHING
