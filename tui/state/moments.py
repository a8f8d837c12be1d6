"""The moments of a recorded step: their places, and which operator made each of them."""

from __future__ import annotations

import msgspec
from vramtop.protocol.messages import Measured
from vramtop.protocol.split import ALL_CATEGORIES, Anatomy, Category, Phase, Split

from .walk import Walk


class Spot(msgspec.Struct, frozen=True):
    """The moment at `place` of the recorded curve, counted from 0 of `count`.

    `changes` are the bytes by which its split differs from the one before, the largest first.
    `operator` is the latest operator in the phase that allocated something, up to this moment;
    empty where there is none.
    """

    place: int
    count: int
    phase: Phase
    split: Split
    changes: tuple[tuple[Category, int], ...]
    operator: str

    @property
    def grew(self) -> bool:
        """Whether something was allocated."""
        return any(change > 0 for _, change in self.changes)


def spot(anatomy: Anatomy, place: int) -> Spot:
    """The moment at that place."""
    curve = anatomy.curve
    here = curve[place]
    before = curve[place - 1].split if place else here.split
    changes = [(name, here.split.of(name) - before.of(name)) for name in ALL_CATEGORIES]
    changed = [(name, change) for name, change in changes if change]
    begin = _phase_begins(anatomy, place)
    made = (anatomy.operators[curve[at].operator] for at in range(place, begin - 1, -1))
    return Spot(
        place=place,
        count=len(curve),
        phase=here.phase,
        split=here.split,
        changes=tuple(sorted(changed, key=lambda change: -abs(change[1]))),
        operator=next(filter(None, made), ""),
    )


def boundary(measured: Measured | None, phase: Phase, split: Split, part: int) -> int | None:
    """The place in the curve where `phase` ends.

    Where a step goes through a phase several times, `part` says which of these times, from 1. None
    where the recorded step has another split there: then its curve is not that of the held step.
    """
    if measured is None or not measured.settled:
        return None
    curve = measured.anatomy.curve
    inside = [moment.phase == phase for moment in curve]
    ends = [at for at, here in enumerate(inside) if here and not any(inside[at + 1 : at + 2])]
    # The update comes once, after the last batch.
    end = ends[min(part, len(ends)) - 1] if ends else None
    return end if end is not None and curve[end].split == split else None


def path(anatomy: Anatomy, end: int) -> Walk | None:
    """The walk to the boundary at `end` from the one before; None where it has no length."""
    first = _phase_begins(anatomy, end)
    return Walk(first, end) if first < end else None


def peak(anatomy: Anatomy) -> int:
    """The place of the peak."""
    wanted = (anatomy.peak.phase, anatomy.peak.split)
    places = (at for at, each in enumerate(anatomy.curve) if (each.phase, each.split) == wanted)
    return next(places, 0)


def _phase_begins(anatomy: Anatomy, place: int) -> int:
    """The first place of the phase that the moment at `place` belongs to."""
    curve, first = anatomy.curve, place
    while first and curve[first - 1].phase == curve[place].phase:
        first -= 1
    return first
