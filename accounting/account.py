"""The bytes of a step on a CUDA device, from the trace of its allocator.

The trace has every allocation and every release of a block. The step's notes say which storage was
seen at which address, and when each operator ended. Each block is one of four kinds:

- a storage's, from its allocation to its release, if a storage was seen in it;
- an operator's buffer, if an operator allocated and released it before it ended;
- a workspace, if an operator allocated it and kept it, until it is released;
- other: older than the step, or allocated outside all operators.

Sizes are bytes as asked for.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from vramtop.protocol.split import Phase

from .records import Change, LogPosition, PhaseLog, StepLog, StepTrace, StorageRecord

_NO_RUN = 0  # the number of the run that stands for no operator


class NoAccount(Exception):
    """There is no account of a device's bytes; the message is the reason, in one line."""


class Total(NamedTuple):
    """Bytes at the end of a phase: of the step's storages, of workspaces, and other bytes."""

    step: int
    workspace: int
    other: int


class Account(NamedTuple):
    """The step's log by the trace, and the totals at the end of each phase.

    `workspaces` are those alive at the step's end: bytes by address.
    """

    log: StepLog
    totals: list[Total]
    workspaces: dict[int, int]


class _Block:
    """A block of the allocator. `begin` and `end` are the events that allocate and release it.

    `begin` is None if it is older than the step, `end` if it outlives the step. `storage` is the
    storage in it, if any. The block counts for the storage from its allocation, or from where it
    was `declared`: the number of the phase, and the place.
    """

    def __init__(self, address: int, size: int, begin: int | None) -> None:
        self.address, self.size, self.begin = address, size, begin
        self.end: int | None = None
        self.storage: int | None = None
        self.declared: tuple[int, int] | None = None
        self.workspace = False


def account(log: StepLog, trace: StepTrace, workspaces: Mapping[int, int]) -> Account:
    """The account of a step; `workspaces` are those known before it, bytes by address.

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
    for number, events in enumerate(_by_phase(blocks, trace)):
        phase, _ = trace.ends[number]
        if log.loss is not None and trace.loss is not None and log.loss[0] == number:
            loss = number, sum(event.logged for event in events if event.place < trace.loss)
        phases.append((phase, walk.changes(number, phase, events)))
        totals.append(walk.total)
    kept = {block.address: block.size for block in blocks if block.workspace and block.end is None}
    return Account(StepLog(walk.storages(), start, phases, log.operators, loss), totals, kept)


def _blocks(trace: StepTrace) -> list[_Block]:
    """All blocks, in the order of allocation; those older than the step come first."""
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
    """Assign storages to the blocks in which they were seen.

    Returns the storages that the step began with, and their bytes.
    """
    by_address: dict[int, list[_Block]] = defaultdict(list)
    for block in blocks:
        by_address[block.address].append(block)
    start: list[tuple[int, int]] = []
    for place, phase, address, storage, declared in trace.sightings:
        seen_in = _alive_at(place, by_address.get(address, ()))
        if seen_in is None:
            raise NoAccount("a tensor lies in memory that is not the caching allocator's")
        if seen_in.storage is not None:
            continue  # a second storage in the same block
        seen_in.storage = storage
        if declared or (seen_in.begin is None and storages[storage].born is not None):
            seen_in.declared = phase, place
        elif seen_in.begin is None:
            start.append((storage, seen_in.size))
    return start


def _alive_at(place: int, blocks: Iterable[_Block]) -> _Block | None:
    """The one of these blocks, all of one address, that was alive at this place."""
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
    """Classify the blocks in which no storage was seen: buffers, workspaces and others.

    A buffer becomes a storage of its own.
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


class _BlockEvent(NamedTuple):
    """At `place`, a block is allocated (sign 1), released (-1), or declared its storage's (0)."""

    place: int
    traced: bool  # a declaration is not in the trace, and comes before what is traced at its place
    sign: int
    block: _Block

    @property
    def logged(self) -> bool:
        """Whether it is a change in the step's log."""
        storage, declared = self.block.storage, self.block.declared
        return storage is not None and (self.sign <= 0 or declared is None)


def _by_phase(blocks: Iterable[_Block], trace: StepTrace) -> Iterator[list[_BlockEvent]]:
    """The events of each phase, in order; those after the last phase are left out."""
    ends = [end for _, end in trace.ends]
    phases: list[list[_BlockEvent]] = [[] for _ in (*ends, None)]
    for block in blocks:
        for place, sign in ((block.begin, 1), (block.end, -1)):
            if place is not None:
                phases[bisect_right(ends, place)].append(_BlockEvent(place, True, sign, block))
        if block.declared is not None:
            phase, place = block.declared
            phases[phase].append(_BlockEvent(place, False, 0, block))
    for events in phases[:-1]:
        yield sorted(events, key=lambda event: (event.place, event.traced))


class _Walk:
    """Goes through the events of a step once, in order, and keeps the totals."""

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
        """The bytes at the event reached so far."""
        return Total(self._step, self._workspace, self._other)

    def storages(self) -> list[StorageRecord]:
        """The storages, with `born` and `gone` as the trace has them."""
        return [
            record._replace(born=born, gone=gone)
            for record, born, gone in zip(self._storages, self._born, self._gone, strict=True)
        ]

    def changes(self, number: int, phase: Phase, events: Iterable[_BlockEvent]) -> list[Change]:
        """Go through the events of phase `number`; returns the changes for its log."""
        changes: list[Change] = []
        run = _NO_RUN  # of the latest allocation
        for place, traced, sign, block in events:
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
                if not traced:
                    self._other -= size
                if self._born[storage] is None:
                    self._born[storage] = phase  # the step did not see it made
                self._step += size
                run = self._storages[storage].run
                changes.append((storage, size, run))
        return changes

    def _released(self, number: int, place: int, latest: int) -> int:
        """The run to which a release belongs; `_NO_RUN` where no operator has run in this phase.

        A release within a run belongs to that run if the run has already allocated something: then
        `latest` is its number. Otherwise the release belongs to the run before it.
        """
        at = bisect_right(self._ends, place)
        for phase, _, _, run in self._runs[at : at + 1]:
            if phase == number and run == latest:
                return run
        if at:
            phase, _, _, run = self._runs[at - 1]
            if phase == number:
                return run
        return _NO_RUN
