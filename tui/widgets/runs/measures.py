"""What batch sizes are compared by, and which size is best at each. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal

import msgspec
from msgspec.structs import replace
from vramtop.tui.state.lesson.visits import Visit, Visits
from vramtop.tui.words import units

_WIDEST = 7  # columns of a bar


class Measure(msgspec.Struct, frozen=True):
    """One way to compare batch sizes.

    `names` get shorter and shorter. `of` gives a visit's value, None where it is not known yet.
    `best` says whether the least or the most is wanted.
    """

    names: tuple[str, ...]
    of: Callable[[Visit], float | None]
    text: Callable[[float], str]
    best: Literal["least", "most"] = "most"


def _per_image(visit: Visit) -> float | None:
    learned = visit.learned
    return None if learned is None else (learned.before - learned.after) / learned.images


def _per_thousand(visit: Visit) -> float | None:
    fall = _per_image(visit)
    return None if fall is None else 1000 * fall


def _per_second(visit: Visit) -> float | None:
    """At the speed of plain steps: evaluations and instrumented steps do not count."""
    fall = _per_image(visit)
    if fall is None or visit.samples_per_second is None:
        return None
    return fall * visit.samples_per_second


def _figure(value: float) -> str:
    return f"{value:.3g}"


MEMORY = Measure(
    ("peak memory", "peak"),
    lambda visit: visit.split.total if visit.split else None,
    lambda value: units.size(int(value)),
    "least",
)
MEASURES = (
    MEMORY,
    Measure(("samples/s",), lambda visit: visit.samples_per_second, units.rate),
    Measure(
        ("loss fall per 1,000 images", "loss fall/1,000", "loss fall/1k", "fall/1k"),
        _per_thousand,
        _figure,
    ),
    Measure(("loss fall per second", "loss fall/s", "fall/s"), _per_second, _figure),
)


def with_comparable_losses(visits: Visits) -> tuple[Visits, bool]:
    """The visits with the losses to compare in `learned`, and whether these can be compared.

    Once a fair comparison was run, only its losses count. Until then the live ones do; they can be
    compared if all of them began after the same number of images.
    """
    if any(visit.fair for visit in visits):
        return tuple(replace(visit, learned=visit.fair) for visit in visits), True
    return visits, len({visit.learned.start for visit in visits if visit.learned}) < 2


def best(measure: Measure, visits: Visits) -> int | None:
    """The batch size that is best at it; None where fewer than two can be compared."""
    values = {
        visit.batch_size: value for visit in visits if (value := measure.of(visit)) is not None
    }
    if len(values) < 2:
        return None
    return (min if measure.best == "least" else max)(values, key=values.__getitem__)


def places(sizes: Sequence[int], wanted: Sequence[int], room: int) -> tuple[dict[int, int], int]:
    """The first column of each size's bar within `room` columns, and the width of all bars.

    Bars stand by the logarithms of their sizes. Where there is no room for all with a gap between
    them, some sizes are left out, the `wanted` ones last.
    """
    kept = list[int]()
    for size in sorted(sizes, key=lambda size: (_rank(size, wanted), -size)):
        if _starts([*kept, size], 1, room):
            kept.append(size)
    for width in range(min(_WIDEST, room), 0, -1):
        if starts := _starts(kept, width, room):
            return starts, width
    return {}, 0


def _rank(size: int, wanted: Sequence[int]) -> int:
    return wanted.index(size) if size in wanted else len(wanted)


def _starts(sizes: Sequence[int], width: int, room: int) -> dict[int, int]:
    """The first column of each bar; empty where two would touch."""
    low, high = math.log2(min(sizes)), math.log2(max(sizes))
    span = (high - low) or 1
    starts = {
        size: round((math.log2(size) - low) / span * (room - width)) for size in sorted(sizes)
    }
    if len(sizes) == 1:
        return {sizes[0]: (room - width) // 2}
    apart = min(after - before for before, after in pairwise(starts.values()))
    return starts if apart > width else {}
