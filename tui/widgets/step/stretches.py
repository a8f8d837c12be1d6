"""Where the moments of a step stand across a chart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from typing import TypeAlias

import msgspec
from vramtop.protocol.split import Anatomy, Moment, Phase, Split
from vramtop.tui.words.wording import PHASE_NAMES

# A name, a phase, and the places that it has in the curve.
_Part: TypeAlias = tuple[str, Phase, range]


class Column(msgspec.Struct, frozen=True):
    """A column begins at the place `first` of the curve, and shows the moment at `place`."""

    first: int
    place: int


class Stretch(msgspec.Struct, frozen=True):
    """A phase's part of the chart, or within forward the loss's; `start` is its first column.

    Where the names of all phases of several batches have no room, those batches are one part.
    """

    name: str
    phase: Phase
    start: int
    columns: tuple[Column, ...]

    @property
    def end(self) -> int:
        """The column after its last one."""
        return self.start + len(self.columns)


def stretches(anatomy: Anatomy, width: int) -> list[Stretch]:
    """The curve in exactly `width` columns; a column shows the most that was held in its part.

    Parts are as wide as they have moments, and at least as wide as their names, as far as there
    is room.
    """
    curve, parts = anatomy.curve, list(_parts(anatomy))
    if sum(len(name) + 1 for name, _, _ in parts) > width:
        parts = _together(parts)
    least = [min(len(name) + 1, width // len(parts)) for name, _, _ in parts]
    spare, taken, start = width - sum(least), 0, 0
    result: list[Stretch] = []
    for (name, phase, places), minimum in zip(parts, least, strict=True):
        more = spare * places.stop // len(curve) - taken
        taken += more
        columns = _columns(curve, places, minimum + more)
        result.append(Stretch(name, phase, start, columns))
        start = result[-1].end
    return result


def column_of(parts: Sequence[Stretch], place: int) -> int:
    """The last column in which the moment at that place is; else the first of all."""
    columns = [column for part in parts for column in part.columns]
    return max((at for at, column in enumerate(columns) if column.first <= place), default=0)


def _parts(anatomy: Anatomy) -> Iterator[_Part]:
    """Names, phases and places of what stands on the axis."""
    begin = 0
    for phase, moments in groupby(anatomy.curve, lambda moment: moment.phase):
        end = begin + len(list(moments))
        loss = anatomy.loss
        if loss is not None and begin < loss < end:
            yield PHASE_NAMES[phase], phase, range(begin, loss)
            yield "loss", phase, range(loss, end)
        else:
            yield PHASE_NAMES[phase], phase, range(begin, end)
        begin = end


def _together(parts: list[_Part]) -> list[_Part]:
    """Where several batches add up, all of their phases as one part."""
    batches = [part for part in parts if part[1] not in ("optimizer", "zero_grad")]
    count = sum(name == PHASE_NAMES["load"] for name, _, _ in batches)
    if count < 2:
        return parts
    end = batches[-1][2].stop
    return [(f"{count} batches", "backward", range(end)), *parts[len(batches) :]]


def _columns(curve: Sequence[Moment], places: range, width: int) -> tuple[Column, ...]:
    if not width:
        return ()
    edges = [places.start + column * len(places) // width for column in range(width + 1)]
    # With fewer moments than columns a moment fills several of them.
    parts = (range(start, max(end, start + 1)) for start, end in pairwise(edges))
    return tuple(
        Column(part.start, max(part, key=lambda at: curve[at].split.total)) for part in parts
    )


def splits(anatomy: Anatomy, parts: Sequence[Stretch]) -> list[Split]:
    """What each column shows."""
    return [anatomy.curve[column.place].split for part in parts for column in part.columns]
