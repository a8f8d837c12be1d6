"""A program that allocates and marks, written out call by call, and the record of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Literal

import msgspec
from vramtop.accounting.program.report import report
from vramtop.protocol.observed.record import (
    Events,
    Kind,
    Mark,
    MarkKind,
    Module,
    Name,
    Owner,
    Sighting,
    WatchedStep,
)
from vramtop.protocol.observed.report import Category, Split, StepReport

FLOAT = 4
BLOCK = 1 << 20  # addresses are as far apart
ELSEWHERE = 7  # an address that no block has
# Sizes of which each has a bit of its own, so that a sum tells which of them are in it.
A, B, C, D, E = (1 << bit for bit in range(5))


class FakeProgram:
    """It runs from the first period's mark on; `hold` is for what is older.

    The memory last released is the first to be used again, as an allocator does.
    """

    def __init__(self, kind: Kind = "training") -> None:
        self.kind = kind
        self.alive: dict[int, int] = {}
        self._free: list[int] = []
        self._next = BLOCK
        self._events: list[tuple[int, int, int, int]] = []
        self._marks: list[Mark] = []
        self._sightings: list[Sighting] = []
        self._names: list[Name] = []
        self._lines: list[str] = []
        self._modules: list[Module] = []

    def hold(self, size: int) -> int:
        """Memory that is older than the window."""
        assert not self._events
        address = self._address()
        self.alive[address] = size
        return address

    def take(self, size: int, line: str = "", module: str | None = None) -> int:
        address = self._address()
        self.alive[address] = size
        self._events.append((address, size, self._line(line), self._module(module)))
        return address

    def give(self, *addresses: int) -> None:
        for address in addresses:
            self._events.append((address, -self.alive.pop(address), -1, -1))
            self._free.append(address)

    def see(
        self,
        owner: Owner,
        address: int,
        path: str = "weight",
        shape: Sequence[int] = (),
        key: str = "",
        *,
        view: bool = False,
    ) -> None:
        trained = owner == "parameters"
        self._names.append(Name(path, tuple(shape), "float32", FLOAT, trained, view=view))
        self._sightings.append(
            Sighting(len(self._events), address, owner, len(self._names) - 1, key)
        )

    def mark(self, kind: MarkKind) -> None:
        held = sum(self.alive.values())
        self._marks.append(Mark(len(self._events), kind, held, held + 512, held + 2048))

    def period(self) -> None:
        self.mark("period")

    @contextmanager
    def _between(self, begin: MarkKind, end: MarkKind) -> Iterator[None]:
        self.mark(begin)
        yield
        self.mark(end)

    def call(self, *batch: int) -> AbstractContextManager[None]:
        for address in batch:
            self.see("batch_data", address, "inputs[0]")
        return self._between("call", "call_end")

    def backward(self) -> AbstractContextManager[None]:
        return self._between("backward", "backward_end")

    def optimizer(self) -> AbstractContextManager[None]:
        return self._between("optimizer", "optimizer_end")

    def record(self, **changed: object) -> WatchedStep:
        """What an observer would have recorded."""
        columns = tuple(zip(*self._events, strict=True)) or ((), (), (), ())
        step = WatchedStep(
            number=1,
            device="cuda:0",
            kind=self.kind,
            source="trace",
            cut=[mark.place for mark in self._marks if mark.kind == "period"][1],
            seconds=0.1,
            inputs=(),
            marks=tuple(self._marks),
            events=Events(
                addresses=columns[0], sizes=columns[1], lines=columns[2], modules=columns[3]
            ),
            blocks=tuple(self.alive.items()),
            sightings=tuple(self._sightings),
            names=tuple(self._names),
            lines=tuple(self._lines),
            modules=tuple(self._modules),
            single=tuple(range(len(self._modules))),
        )
        return msgspec.structs.replace(step, **changed)

    def report(self, **changed: object) -> StepReport:
        return report(self.record(**changed), 10)

    def _address(self) -> int:
        if self._free:
            return self._free.pop()
        self._next += BLOCK
        return self._next

    def _line(self, line: str) -> int:
        if not line:
            return -1
        if line not in self._lines:
            self._lines.append(line)
        return self._lines.index(line)

    def _module(self, path: str | None) -> int:
        if path is None:
            return -1
        module = Module(path, "Linear")
        if module not in self._modules:
            self._modules.append(module)
        return self._modules.index(module)


def nothing_in(part: AbstractContextManager[None]) -> None:
    """A call, a backward or an optimizer's step in which nothing is allocated."""
    with part:
        pass


def plain_period(program: FakeProgram) -> None:
    """A period in which nothing is allocated."""
    program.period()
    nothing_in(program.call())
    nothing_in(program.backward())
    nothing_in(program.optimizer())


@contextmanager
def second_period(program: FakeProgram) -> Iterator[None]:
    """The period that counts, between one in which nothing happens and the end."""
    plain_period(program)
    program.period()
    yield
    program.period()


def category_of(step: WatchedStep, size: int) -> Category | Literal["workspace"] | None:
    """The category in which this many bytes appear in the second period; no other may have them."""
    result = report(step, 1)
    found = {
        category
        for category in Split.__struct_fields__
        for moment in result.curve
        if getattr(moment.split, category) & size
    }
    if result.allocator is not None and result.allocator.workspace & size:
        found.add("workspace")
    assert len(found) <= 1, found
    return found.pop() if found else None
