"""Two results on the same program, side by side: what changed by category, layer and shape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec
from vramtop.protocol.observed.program import KindReport, ProgramReport
from vramtop.protocol.observed.record import Input, Kind
from vramtop.protocol.observed.report import Layer
from vramtop.protocol.split import ALL_CATEGORIES, Category

_Key = TypeVar("_Key")
_Each = TypeVar("_Each")


class Change(msgspec.Struct, frozen=True):
    """Bytes before and after."""

    before: int
    after: int

    @property
    def bytes(self) -> int:
        """How many more there are after."""
        return self.after - self.before

    @property
    def growth(self) -> float:
        """The same as a share of those before; infinite where there were none."""
        if not self.before:
            return float("inf") if self.after else 0.0
        return self.bytes / self.before


class LayerChange(msgspec.Struct, frozen=True):
    """A module that is another than before, or holds other bytes; with 0 B where it is not there.

    `kinds` are its classes before and after, None where it is not there.
    """

    name: str
    kinds: tuple[str | None, str | None]
    parameters: Change
    gradients: Change
    optimizer_state: Change
    activations: Change

    @property
    def whole(self) -> Change:
        """All that belongs to it."""
        parts = (self.parameters, self.gradients, self.optimizer_state, self.activations)
        return Change(sum(each.before for each in parts), sum(each.after for each in parts))


class KindChange(msgspec.Struct, frozen=True):
    """A step of one kind: its inputs before and after, its peak, and what the peak consists of.

    `high_water` is the most of each category at any moment of the step.
    """

    kind: Kind
    inputs: tuple[tuple[Input, ...], tuple[Input, ...]]
    peak: Change
    categories: dict[Category, Change]
    high_water: dict[Category, Change]


class ProgramChange(msgspec.Struct, frozen=True):
    """A process on one device. `lost` are the kinds of step that only the result before has.

    `layers` has those that changed, by how much, the most first.
    """

    program: tuple[str, str]
    rank: int | None
    device: str
    kinds: tuple[KindChange, ...]
    lost: tuple[Kind, ...]
    layers: tuple[LayerChange, ...]

    @property
    def name(self) -> str:
        """The process after: `train.py, rank 0, on cuda:0`."""
        return _name(self.program[1], self.rank, self.device)


class Comparison(msgspec.Struct, frozen=True):
    """The processes that both results have, and the names of those that only one of them has."""

    programs: tuple[ProgramChange, ...]
    lost: tuple[str, ...]
    new: tuple[str, ...]


def compared(before: Sequence[ProgramReport], after: Sequence[ProgramReport]) -> Comparison:
    """What changed from one result to the other.

    Processes belong together that have the same rank, or without ranks the same place among all.
    """
    both, lost, new = _matched(_by_place(before), _by_place(after))
    return Comparison(
        tuple(_program(was, now) for was, now in both),
        tuple(_name(each.program, each.rank, each.device) for each in lost),
        tuple(_name(each.program, each.rank, each.device) for each in new),
    )


def _matched(
    before: Mapping[_Key, _Each], after: Mapping[_Key, _Each]
) -> tuple[list[tuple[_Each, _Each]], list[_Each], list[_Each]]:
    """Those of the same key, those that are only before, and those that are only after."""
    both = [(each, after[key]) for key, each in before.items() if key in after]
    lost = [each for key, each in before.items() if key not in after]
    return both, lost, [each for key, each in after.items() if key not in before]


def _by_place(reports: Iterable[ProgramReport]) -> dict[tuple[str, int, int], ProgramReport]:
    """The processes by rank, or else by their place among all, and by the place of the device.

    A process, and a device, may have another number the next time.
    """
    processes, devices = dict[int, int](), Counter[int]()
    found = dict[tuple[str, int, int], ProgramReport]()
    for report in reports:
        place = processes.setdefault(report.pid, len(processes))
        process = ("place", place) if report.rank is None else ("rank", report.rank)
        found[process[0], process[1], devices[report.pid]] = report
        devices[report.pid] += 1
    return found


def _name(program: str, rank: int | None, device: str) -> str:
    ranked = f", rank {rank}" if rank is not None else ""
    return f"{program}{ranked}, on {device}"


def _program(before: ProgramReport, after: ProgramReport) -> ProgramChange:
    was, now = ({kind.kind: kind for kind in report.kinds} for report in (before, after))
    kinds, lost, _ = _matched(was, now)
    return ProgramChange(
        (before.program, after.program),
        after.rank,
        after.device,
        tuple(_kind(*both) for both in kinds),
        tuple(kind.kind for kind in lost),
        _layers(before.layers, after.layers),
    )


def _kind(before: KindReport, after: KindReport) -> KindChange:
    return KindChange(
        before.kind,
        (before.inputs, after.inputs),
        Change(before.peak.bytes, after.peak.bytes),
        {
            name: Change(before.peak.split.of(name), after.peak.split.of(name))
            for name in ALL_CATEGORIES
        },
        {
            name: Change(before.high_water.of(name), after.high_water.of(name))
            for name in ALL_CATEGORIES
        },
    )


def _layers(before: Sequence[Layer], after: Sequence[Layer]) -> tuple[LayerChange, ...]:
    both, lost, new = _matched(
        {each.name: each for each in before}, {each.name: each for each in after}
    )
    pairs: list[tuple[Layer | None, Layer | None]] = [*both]
    pairs += [*((each, None) for each in lost), *((None, each) for each in new)]
    changes = [_layer(was, now) for was, now in pairs if was != now]
    return tuple(sorted(changes, key=lambda change: -abs(change.whole.bytes)))


def _layer(was: Layer | None, now: Layer | None) -> LayerChange:
    known = now or was
    assert known is not None

    def change(field: str) -> Change:
        return Change(*(0 if each is None else getattr(each, field) for each in (was, now)))

    return LayerChange(
        known.name,
        (was.kind if was else None, now.kind if now else None),
        change("parameters"),
        change("gradients"),
        change("optimizer_state"),
        change("activations"),
    )
