"""Curves drawn with characters."""

from __future__ import annotations

import pytest
from vramtop.tui.widgets.runs.curves import Extents, cells, extents, per_cell, places
from vramtop.tui.widgets.runs.scales import Scale

SCALE = Scale(0, 7)


def test_points_share_a_column_by_their_images_and_the_last_has_all_that_is_beyond() -> None:
    images = [0, 4, 5, 9, 15, 31]
    assert [images[shared] for shared in places(images, 20, 4)] == [[0, 4], [5, 9], [], [15, 31]]


def test_a_curve_passes_all_of_its_values_and_joins_them() -> None:
    assert drawn([(0, 7.0), (1, 3.0), (2, 5.0), (3, 5.0)], 4) == [(0, 0), (1, 4), (2, 3), (2, 2)]


def test_values_that_share_a_column_are_all_in_it() -> None:
    values = [(0, 7.0), (10, 1.0), (20, 4.0), (99, 4.0)]
    assert drawn(values, 100, columns=2) == [(0, 6), (3, 3)]


def test_between_far_values_goes_a_straight_line() -> None:
    assert drawn([(0, 7.0), (4, 3.0)], 5) == [(y, y) for y in range(5)]


def test_where_nothing_is_known_the_curve_is_interrupted() -> None:
    assert drawn([(0, 7.0), (1, None), (2, 7.0)], 4) == [(0, 0), None, (0, 0), None]


def drawn(points: list[tuple[int, float | None]], length: int, columns: int = 0) -> Extents:
    images, values = zip(*points, strict=True)
    return extents(values, places(images, length, columns or length), SCALE, 8, [])


def test_braille_has_two_columns_and_four_levels_a_cell() -> None:
    assert cells([(0, 0), (1, 3), None, (4, 7)], 2, braille=True) == ["⢱ ", " ⢸"]


def test_plain_characters_are_ascii_with_three_levels_a_cell() -> None:
    found = [(0, 0), (1, 1), (2, 2), (0, 2), (2, 3), None]
    assert cells(found, 2, braille=False) == ["'-_|_ ", "    ' "]


@pytest.mark.parametrize("braille", [True, False])
def test_there_are_as_many_rows_and_characters_as_there_is_room_for(*, braille: bool) -> None:
    across, levels = per_cell(braille=braille)
    columns = places(range(50), 64, 20 * across)
    found = extents([image % 8 for image in range(50)], columns, SCALE, 3 * levels, [])
    rows = cells(found, 3, braille=braille)
    assert [len(row) for row in rows] == [20, 20, 20]
