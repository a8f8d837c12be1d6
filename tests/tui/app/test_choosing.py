"""A category row is chosen by key or by mouse, and let go again."""

from __future__ import annotations

import pytest
from made import BEGUN, configured, measured
from screens import Screen, screen
from vramtop.tui.terminal.palette import DARK
from vramtop.tui.widgets.step.anatomy import AnatomyChart
from vramtop.tui.widgets.step.category_table import CategoryTable
from vramtop.tui.widgets.step.split_bar import SplitBar
from vramtop.tui.widgets.step.tensors import TensorTable


def marked(seen: Screen) -> list[str]:
    """The names of the rows with the mark."""
    rows = seen.app.query_one(CategoryTable).region
    lines = seen.lines[rows.y + 1 : rows.y + 7]
    assert len(lines) == 6
    return [line[3:20].strip() for line in lines if line[2] == "▸"]


async def test_down_and_up_go_round_the_rows_and_escape_lets_go() -> None:
    async with screen(120, 40, *BEGUN) as seen:
        assert marked(seen) == []
        for key, row in (
            ("down", "Parameters"),
            ("down", "Gradients"),
            ("up", "Parameters"),
            ("up", None),
            ("up", "Temporaries"),
            ("down", None),
            ("down", "Parameters"),
        ):
            await seen.pilot.press(key)
            await seen.pilot.pause()
            assert marked(seen) == ([row] if row else [])
        await seen.pilot.press("escape", "up")
        await seen.pilot.pause()
        assert marked(seen) == ["Temporaries"]
        await seen.pilot.press("escape")
        await seen.pilot.pause()
        assert marked(seen) == []


async def test_a_click_on_a_row_chooses_it_and_another_one_lets_it_go() -> None:
    async with screen(120, 40, *BEGUN) as seen:
        await seen.pilot.click(CategoryTable, offset=(30, 4))
        await seen.pilot.pause()
        assert (seen.app.state.chosen, marked(seen)) == ("batch_data", ["Batch data"])
        await seen.pilot.click(CategoryTable, offset=(5, 5))
        assert seen.app.state.chosen == "activations"
        await seen.pilot.click(CategoryTable, offset=(5, 5))
        await seen.pilot.pause()
        assert (seen.app.state.chosen, marked(seen)) == (None, [])


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
async def test_a_click_on_a_part_of_the_split_bar_chooses_its_category(
    width: int, height: int
) -> None:
    async with screen(width, height, *BEGUN) as seen:
        bar = seen.app.query_one(SplitBar)
        last = bar.size.height - 1
        await seen.pilot.click(bar, offset=(1, last))
        assert seen.app.state.chosen == "parameters"
        for nowhere in ((1, 0), (bar.size.width - 2, last)):
            await seen.pilot.click(bar, offset=nowhere)
            assert seen.app.state.chosen == "parameters"
        await seen.pilot.click(bar, offset=(1, last))
        assert seen.app.state.chosen is None


@pytest.mark.parametrize("line", [0, 7])
async def test_the_head_and_the_total_are_no_rows(line: int) -> None:
    async with screen(120, 40, *BEGUN) as seen:
        await seen.pilot.click(CategoryTable, offset=(5, line))
        assert seen.app.state.chosen is None


async def test_the_mark_moves_no_column_and_has_the_accent() -> None:
    async with screen(120, 40, *BEGUN) as seen:
        rows = seen.app.query_one(CategoryTable).region
        before = seen.lines[rows.y : rows.bottom]
        await seen.pilot.press("down")
        await seen.pilot.pause()
        after = seen.lines[rows.y : rows.bottom]
        assert after == [before[0], before[1].replace("  Parameters", " ▸Parameters"), *before[2:]]
        colors = {style.color.name for style in seen.styles("Parameters") if style.color}
        assert colors == {DARK.accent}


async def test_letting_go_leaves_the_screen_as_it_was() -> None:
    for size in ((80, 24), (120, 40), (200, 60), (60, 18)):
        async with screen(*size, *BEGUN) as seen:
            before = seen.lines
            await seen.pilot.press("down")
            await seen.pilot.pause()
            assert seen.lines != before
            await seen.pilot.press("escape")
            await seen.pilot.pause()
            assert seen.lines == before


async def test_what_is_chosen_stays_so_whatever_the_worker_says() -> None:
    async with screen(120, 40, *BEGUN) as seen:
        await seen.pilot.press("up")
        await seen.hear(configured(batch_size=128), measured(128))
        assert marked(seen) == ["Temporaries"]


async def test_a_row_can_be_chosen_before_anything_is_measured() -> None:
    async with screen(120, 40) as seen:
        await seen.pilot.press("down")
        await seen.pilot.pause()
        assert marked(seen) == ["Parameters"]
        table = seen.app.query_one(TensorTable).region
        shown = [line[table.x :].rstrip() for line in seen.lines[table.y : table.bottom]]
        assert [line for line in shown if line] == [
            "  Parameters",  # a solid glyph is all of its colour
            "the weights and biases that are learned",
            "measuring…",
        ]


async def test_in_a_wide_place_the_list_stands_beside_the_anatomy() -> None:
    async with screen(100, 34, *BEGUN) as seen:
        assert "log scale" in seen.text
        await seen.pilot.press("down")
        await seen.pilot.pause()
        anatomy = seen.app.query_one(AnatomyChart).region
        table = seen.app.query_one(TensorTable).region
        assert (anatomy.y, anatomy.height) == (table.y, table.height)
        assert anatomy.right < table.x
        assert "log scale" not in seen.text


async def test_in_a_narrow_place_the_list_stands_for_the_anatomy() -> None:
    async with screen(99, 34, *BEGUN) as seen:
        where = seen.app.query_one(AnatomyChart).region
        await seen.pilot.press("down")
        await seen.pilot.pause()
        assert not seen.app.query_one(AnatomyChart).region.area
        assert seen.app.query_one(TensorTable).region == where


async def test_keys_over_the_gpus_choose_gpus_and_no_rows() -> None:
    async with screen(120, 40, *BEGUN) as seen:
        await seen.pilot.press("g", "down", "escape")
        assert seen.app.state.chosen is None
