"""The lines between the device bar and the bar that magnifies a part of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import BEGUN, configured, measured
from screens import screen
from vramtop.tui.widgets.step.zoom import Magnified, connector


def test_lines_lead_from_the_parts_ends_to_both_ends_of_the_bar() -> None:
    assert connector(Magnified(40, 20, 100), 20) == "╭───────┴──┴ 5.0× ─╮"


def test_a_part_at_an_end_is_met_by_a_straight_line() -> None:
    assert connector(Magnified(0, 50, 100), 20) == "├────────┴─ 2.0× ──╮"
    assert connector(Magnified(50, 50, 100), 20) == "╭─ 2.0× ──┴────────┤"


def test_the_least_of_parts_has_a_column() -> None:
    assert connector(Magnified(0, 1, 10**9), 30).startswith("├───")


def test_nothing_is_magnified_where_the_part_is_the_whole() -> None:
    assert connector(Magnified(0, 100, 100), 20) == ""
    assert connector(Magnified(0, 200, 100), 20) == ""


@given(
    st.integers(1, 10**12).flatmap(
        lambda whole: st.tuples(st.integers(0, whole), st.integers(1, whole), st.just(whole))
    ),
    st.integers(2, 240),
)
def test_it_always_fills_the_line(part: tuple[int, int, int], width: int) -> None:
    start, size, whole = part
    assert len(connector(Magnified(start, size, whole), width)) in (0, width)
    assert bool(connector(Magnified(start, size, whole), width)) == (size < whole)


async def test_the_bars_are_joined_where_there_is_a_line_for_it() -> None:
    budget = configured(budget=16 * 2**20)
    async with screen(120, 40, BEGUN[0], budget, *BEGUN[2:]) as shown:
        assert "├" in shown.text
        assert " 4.0× " in shown.text
        assert "zoom" not in shown.text
    async with screen(100, 34, BEGUN[0], budget, *BEGUN[2:]) as shown:
        assert "4.0× zoom" in shown.text


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_a_budget_below_the_bars_end_is_marked(size: tuple[int, int]) -> None:
    # The least of batches at which the bar's power of two is beyond the budget.
    budget = configured(budget=measured().anatomy.peak.bytes + 300_000)
    async with screen(*size, BEGUN[0], budget, *BEGUN[2:]) as shown:
        assert "╎" in shown.text
