"""The regions that are drawn again when a picture changes."""

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from vramtop.tui.widgets.changes import changes

BOLD = Style(bold=True)


def strips(*lines: str) -> list[Strip]:
    return [Strip([Segment(line)]) for line in lines]


def test_the_same_picture_changes_nothing() -> None:
    assert changes(strips("batch 64", "loss 2"), strips("batch 64", "loss 2")) == []


def test_a_change_is_as_wide_as_the_cells_that_differ() -> None:
    assert changes(strips("step 1,299 loss"), strips("step 1,300 loss")) == [Region(7, 0, 3, 1)]


def test_a_line_changes_in_one_piece_from_the_first_to_the_last_difference() -> None:
    before, after = strips("step 1            loss 2"), strips("step 3            loss 4")
    assert changes(before, after) == [Region(5, 0, 19, 1)]


def test_a_new_style_is_a_change() -> None:
    after = [Strip([Segment("loss "), Segment("2", BOLD)])]
    assert changes(strips("loss 2"), after) == [Region(5, 0, 1, 1)]


def test_how_the_same_cells_are_cut_into_segments_is_none() -> None:
    assert changes(strips("loss 2"), [Strip([Segment("loss "), Segment("2")])]) == []


def test_lines_that_come_or_go_change_whole() -> None:
    assert changes(strips("one"), strips("one", "four")) == [Region(0, 1, 4, 1)]
    assert changes(strips("one", "four"), strips("one")) == [Region(0, 1, 4, 1)]


def test_a_line_with_wide_characters_changes_whole() -> None:
    assert changes(strips("日本 a"), strips("日本 b")) == [Region(0, 0, 6, 1)]
