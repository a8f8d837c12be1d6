from __future__ import annotations

import pytest
from made import measured
from vramtop.protocol.split import Split
from vramtop.tui.state.full_bar import full_bar, kept, next_power
from vramtop.tui.terminal.palette import DARK, EMPTY, dimmed, palette
from vramtop.tui.widgets.step.blocks import bar, drawn
from vramtop.tui.widgets.step.split_bar import ghost
from vramtop.tui.widgets.step.stretches import splits, stretches

PATTERNED = palette("dark", patterned=True)


@pytest.mark.parametrize("width", [1, 7, 80, 200])
@pytest.mark.parametrize("parts", [(), (0, 0), (5, 3, 1), (10, 10, 10, 10), (1, 1, 1, 1, 1, 1)])
def test_a_bar_always_has_its_width(parts: tuple[int, ...], width: int) -> None:
    assert len(bar(parts, 12, width)) == width


def test_whole_cells_carry_the_category_and_its_glyph() -> None:
    cells = bar((4, 4), 16, 4)
    assert [cell.glyph for cell in cells] == ["█", "▚", " ", " "]
    assert [cell.first for cell in cells] == [0, 1, EMPTY, EMPTY]


def test_a_border_inside_a_cell_is_an_eighth_precise() -> None:
    (cell,) = bar((3, 5), 8, 1)
    assert (cell.glyph, cell.first, cell.second) == ("▍", 0, 1)


def test_three_in_a_cell_leave_the_two_largest() -> None:
    (cell,) = bar((4, 1, 3), 8, 1)
    assert (cell.first, cell.second) == (0, 2)


def test_at_the_end_of_a_bar_what_is_seen_nowhere_else_is_seen() -> None:
    whole, cell = bar((11, 2), 16, 2)
    assert (whole.first, whole.second) == (0, 0)
    assert (cell.glyph, cell.first, cell.second) == ("▋", 1, EMPTY)


def test_an_eighth_does_not_take_the_place_of_what_is_seen_anyway() -> None:
    _, cell = bar((11, 1), 16, 2)
    assert (cell.glyph, cell.first, cell.second) == ("▌", 0, EMPTY)


def test_without_colours_a_shared_cell_has_the_pattern_of_the_larger() -> None:
    for parts, glyph in (((5, 3), "█"), ((3, 5), "▚")):
        (cell,) = bar(parts, 8, 1)
        assert drawn(cell, PATTERNED)[0] == glyph


def test_without_colours_a_bar_ends_with_the_nearest_whole_cell() -> None:
    for eighths, picture in ((11, "█─"), (12, "██"), (13, "██")):
        cells = bar((eighths,), 16, 2)
        assert "".join(drawn(cell, PATTERNED)[0] for cell in cells) == picture


def test_in_colour_a_whole_cell_is_plain() -> None:
    (cell,) = bar((8,), 8, 1)
    glyph, style = drawn(cell, DARK)
    assert glyph == "█"  # for whoever copies it; it is not seen
    assert style.color == style.bgcolor
    assert style.bgcolor
    assert style.bgcolor.name == DARK.fills[0]


def test_more_than_the_scale_ends_at_the_edge() -> None:
    assert [cell.first for cell in bar((50,), 10, 3)] == [0, 0, 0]


@pytest.mark.parametrize(("number", "power"), [(1, 1), (3, 4), (4, 4), (5, 8)])
def test_the_scale_is_the_next_power_of_two(number: int, power: int) -> None:
    assert next_power(number) == power


def test_a_scale_stays_while_a_quarter_of_the_bar_is_filled() -> None:
    assert kept(0, 100) == 128
    assert [kept(128, largest) for largest in (129, 128, 65, 32, 31)] == [256, 128, 128, 128, 32]
    assert full_bar("power of two", 40, None, 128) == 128
    assert full_bar("peak", 40, None, 128) == 40


def test_no_scale_is_smaller_than_what_is_shown() -> None:
    assert full_bar("budget", 100, 50) == 100
    assert full_bar("budget", 100, 500) == 500
    assert full_bar("peak", 100, 500) == 100
    assert full_bar("power of two", 100, 500) == 128


@pytest.mark.parametrize("width", [20, 58, 78, 117, 200])
def test_the_anatomy_fills_its_width_and_keeps_the_peak(width: int) -> None:
    anatomy = measured().anatomy
    columns = splits(anatomy, stretches(anatomy, width))
    assert len(columns) == width
    assert anatomy.peak.split in columns


def test_what_the_next_size_adds_follows_the_bar_by_category_and_dim() -> None:
    now, then = Split(4, 4, 0, 8), Split(4, 4, 0, 16, 8)
    marks = ghost(now, then, 64, 16, DARK)
    colors = {column: style.bgcolor.name for column, (_, style) in marks.items() if style.bgcolor}
    batch_data, activations = dimmed(DARK).fills[3:5]
    assert colors == {4: batch_data, 5: batch_data, 6: activations, 7: activations}


def test_the_part_of_it_that_a_shared_cell_hides_is_not_drawn_again() -> None:
    # The bar ends in the middle of its second cell, and the next size at the end of the third.
    assert list(ghost(Split(6), Split(12), 16, 4, DARK)) == [2]


def test_more_than_the_bar_has_room_for_ends_with_it() -> None:
    assert list(ghost(Split(8), Split(80), 16, 4, DARK)) == [2, 3]


def test_without_colours_it_has_the_categories_patterns() -> None:
    marks = ghost(Split(4), Split(4, 0, 0, 4), 16, 4, PATTERNED)
    assert [glyph for glyph, _ in marks.values()] == ["░"]


def test_where_another_moment_will_be_the_peak_nothing_is_added_to_this_one() -> None:
    assert ghost(Split(4, 4), Split(4, 0, 0, 16), 32, 8, DARK) == {}
