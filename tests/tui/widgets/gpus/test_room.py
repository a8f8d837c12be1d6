"""How lists and charts share the screen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vramtop.tui.widgets.gpus.room import CHART_LINES, Shares, Wanted, grid, shares


@pytest.mark.parametrize(
    ("height", "lists", "expected"),
    [
        (36, Wanted(3, 5, 5), Shares(5, 25, 6)),  # two GPUs, few processes: charts have the rest
        (10, Wanted(3, 5, 5), Shares(5, 0, 5)),  # a pane of 12 lines
        (36, Wanted(9, 17, 10), Shares(9, 16, 11)),  # eight GPUs step back for the charts
        (22, Wanted(9, 17, 30), Shares(9, 0, 13)),
        (60, Wanted(9, 17, 10), Shares(17, 32, 11)),
        (8, Wanted(17, 33, 40), Shares(4, 0, 4)),
        (20, Wanted(0, 0, 1), Shares(0, 0, 20)),  # no GPU
    ],
)
def test_the_charts_have_what_the_lists_leave(height: int, lists: Wanted, expected: Shares) -> None:
    assert shares(height, lists) == expected


@given(st.integers(2, 80), st.integers(1, 40), st.integers(0, 40), st.integers(2, 99))
def test_all_lines_are_shared_out_and_both_lists_keep_their_half(
    height: int, brief: int, more: int, processes: int
) -> None:
    found = shares(height, Wanted(brief + 1, brief + 1 + more, processes))
    assert found.gpus + found.charts + found.processes == height
    assert found.charts == 0 or found.charts >= CHART_LINES
    assert found.processes >= min(height // 2, processes)
    assert found.gpus >= min(height // 2, brief + 1)


@given(st.integers(1, 16), st.integers(20, 250), st.integers(4, 60), st.integers(0, 15))
def test_charts_are_readable_and_the_chosen_gpu_is_among_them(
    count: int, width: int, height: int, chosen: int
) -> None:
    chosen = min(chosen, count - 1)
    cells = grid(count, width, height, chosen, narrowest=50, least=4)
    assert cells.first <= chosen < cells.end <= count
    assert cells.end - cells.first <= cells.columns * cells.rows
    assert height // cells.rows >= 4
    assert width // cells.columns >= min(width, 50)


def test_time_has_room_before_gpus_stand_beside_one_another() -> None:
    assert grid(2, 200, 12, 0, narrowest=50, least=4).columns == 1
    assert grid(4, 200, 12, 0, narrowest=50, least=4).columns == 2
