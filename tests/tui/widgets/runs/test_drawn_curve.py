"""A curve that grows is drawn as if it were drawn for the first time."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import pytest
from vramtop.tui.widgets.runs import drawn_curve
from vramtop.tui.widgets.runs.curves import per_cell, places
from vramtop.tui.widgets.runs.drawn_curve import DrawnCurve
from vramtop.tui.widgets.runs.scales import Scale, counting, length

ROWS, ROOM = 3, 20
History = list[tuple[int, "float | None"]]


@pytest.mark.parametrize("braille", [True, False])
@pytest.mark.parametrize("seed", range(40))
def test_after_any_history_it_looks_as_if_drawn_at_once(seed: int, *, braille: bool) -> None:
    kept = DrawnCurve()
    for points in histories(random.Random(seed)):
        assert rows(kept, points, braille=braille) == rows(DrawnCurve(), points, braille=braille)


def histories(rng: random.Random) -> Iterator[History]:
    """A training that grows, goes back, is thinned, and has values that are not known."""
    points: History = []
    for _ in range(120):
        event = rng.random()
        if event < 0.05:
            points = [point for point in points if rng.random() < 0.5]
        elif event < 0.1 and points:
            points = points[: rng.randrange(1, len(points) + 1)]
        elif event < 0.2 and points:
            points[-1] = (points[-1][0], rng.uniform(1, 40))
        else:
            at = points[-1][0] + rng.randrange(1, 8) if points else 1
            points = [*points, (at, rng.uniform(1, 40) if rng.random() < 0.9 else None)]
        if points:
            yield points


def rows(curve: DrawnCurve, points: History, *, braille: bool) -> list[str]:
    at = [place for place, _ in points]
    across, _ = per_cell(braille=braille)
    values = tuple(value for _, value in points)
    scale = counting([value for value in values if value is not None])
    columns = places(at, length(at[-1]), ROOM * across)
    return curve.rows(values, columns, scale, ROWS, braille=braille)


@pytest.mark.parametrize(
    "other",
    [
        {"scale": Scale(0, 100)},
        {"rows": 5},
        {"braille": False},
        {"columns": places(range(40), 40, 60)},
    ],
    ids=lambda other: next(iter(other)),
)
def test_in_another_size_or_scale_the_same_values_are_drawn_anew(other: dict[str, object]) -> None:
    drawing = {
        "columns": places(range(40), 40, 40),
        "scale": Scale(0, 10),
        "rows": 3,
        "braille": True,
    }
    values = tuple(float(at % 7) for at in range(40))
    curve = DrawnCurve()
    before = curve.rows(values, **drawing)  # type: ignore[arg-type]
    after = curve.rows(values, **{**drawing, **other})  # type: ignore[arg-type]
    assert after == DrawnCurve().rows(values, **{**drawing, **other})  # type: ignore[arg-type]
    assert after != before


def test_one_value_more_computes_few_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []
    whole = drawn_curve.extents

    def counting_extents(
        values: Sequence[float | None],
        columns: Sequence[slice],
        scale: Scale,
        levels: int,
        known: drawn_curve.Extents,
    ) -> drawn_curve.Extents:
        counted.append(len(columns) - len(known))
        return whole(values, columns, scale, levels, known)

    monkeypatch.setattr(drawn_curve, "extents", counting_extents)
    curve, values = DrawnCurve(), tuple(float(at % 7) for at in range(90))
    for count in (88, 89, 90):
        columns = places(range(count), 100, 40)
        curve.rows(values[:count], columns, Scale(0, 10), 3, braille=True)
    first, *later = counted
    assert first == 40
    assert later == [5, 5]
