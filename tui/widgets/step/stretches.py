"""The columns of a chart for the moments of a step, grouped by phase."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from typing import TypeAlias

import msgspec
from vramtop.protocol.split import Anatomy, Moment, Phase, Split
from vramtop.tui.words.wording import PHASE_NAMES

# A name, a phase, and its places in the curve.
_Part: TypeAlias = tuple[str, Phase, range]


class ChartColumn(msgspec.Struct, frozen=True):
    """A column begins at the place `first` of the curve, and shows the moment at `place`."""

    first: int
    place: int


class Stretch(msgspec.Struct, frozen=True):
    """The columns of a phase, or of the loss within forward; `start` is the first of them.

    Several batches share one stretch where the names of all their phases have no room.
    """

    name: str
    phase: Phase
    start: int
    columns: tuple[ChartColumn, ...]

    @property
    def end(self) -> int:
        """The column after its last one."""
        return self.start + len(self.columns)


def stretches(anatomy: Anatomy, width: int) -> list[Stretch]:
    """The curve in exactly `width` columns, each of which shows its largest moment.

    A stretch is as wide as its name, and the rest is shared out by the numbers of moments.
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
    """The last column that contains this place."""
    columns = [column for part in parts for column in part.columns]
    return max((at for at, column in enumerate(columns) if column.first <= place), default=0)


def _parts(anatomy: Anatomy) -> Iterator[_Part]:
    """The phases of the step, with the loss as a part of its own."""
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
    """The parts with all that comes several times as one, as the batches of an accumulation."""
    counts = Counter(name for name, _, _ in parts)
    again = [at for at, (name, _, _) in enumerate(parts) if counts[name] > 1]
    if not again:
        return parts
    first, last = again[0], again[-1]
    what = "batches" if counts[PHASE_NAMES["load"]] > 1 else "rounds"
    name = f"{max(counts.values())} {what}"
    places = range(parts[first][2].start, parts[last][2].stop)
    return [*parts[:first], (name, "backward", places), *parts[last + 1 :]]


def _columns(curve: Sequence[Moment], places: range, width: int) -> tuple[ChartColumn, ...]:
    if not width:
        return ()
    edges = [places.start + column * len(places) // width for column in range(width + 1)]
    # With fewer moments than columns a moment fills several of them.
    parts = (range(start, max(end, start + 1)) for start, end in pairwise(edges))
    return tuple(
        ChartColumn(part.start, max(part, key=lambda at: curve[at].split.total)) for part in parts
    )


def splits(anatomy: Anatomy, parts: Sequence[Stretch]) -> list[Split]:
    """What each column shows."""
    return [anatomy.curve[column.place].split for part in parts for column in part.columns]
