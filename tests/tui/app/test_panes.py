"""A pane of a few lines: from 40 columns by 6 lines on, the split is shown and keys work."""

from __future__ import annotations

import pytest
from made import BEGUN, HELLO, begun_on, configured, measured, out_of_memory, picture, sample
from msgspec.structs import replace
from screens import Screen, assert_apart, screen
from textual.widgets import Input
from vramtop.protocol.messages import Device, Flow
from vramtop.tui.tour.panel import TourStrip
from vramtop.tui.widgets.step.category_brief import CategoryBrief
from vramtop.tui.widgets.step.category_table import CategoryTable
from vramtop.tui.widgets.step.split_bar import SplitBar

HEIGHTS = list(range(6, 18))
WIDTHS = [40, 60, 120]
ON_GPU = begun_on(Device("cuda:0", "a GPU", 4 * 2**30))


def assert_each_in_its_place(seen: Screen) -> None:
    """Within the screen, over no other, and down to the last line."""
    parts = assert_apart(seen.app.panels, seen.app.screen.region)
    assert max(part.region.bottom for part in parts) == seen.app.size.height
    assert sum(part.region.height for part in parts) >= seen.app.size.height


@pytest.mark.parametrize("height", HEIGHTS)
async def test_the_split_has_its_place_in_every_pane(height: int) -> None:
    async with screen(80, height, *BEGUN) as seen:
        for width in WIDTHS:
            await seen.pilot.resize_terminal(width, height)
            await seen.pilot.pause()
            assert_each_in_its_place(seen)
            assert seen.app.query_one(SplitBar).region.height >= 2
            (rows,) = (
                p
                for p in (*seen.app.query(CategoryBrief), *seen.app.query(CategoryTable))
                if p.region.area
            )
            assert rows.region.height >= 2
            assert "batch 64" in seen.lines[0]
            assert "peak 2.14 MiB" in seen.text
            assert seen.lines[-1].endswith("  ? help  q quit ")


@pytest.mark.parametrize("height", [6, 9, 10, 12, 16])
@pytest.mark.parametrize("width", [40, 120])
async def test_in_every_layout_no_part_covers_another(width: int, height: int) -> None:
    async with screen(width, height, *ON_GPU) as seen:
        # A category, none again; trends, trade, the anatomy; two more layouts; at last the tour.
        for key in ("down", "escape", "y", "x", "x", "p", "p", "T"):
            await seen.press(key)
            assert_each_in_its_place(seen)


@pytest.mark.parametrize(
    ("size", "lines"),
    [
        (
            (80, 6),
            [
                " █ Params     397.5 KiB    ▚ Grads      397.5 KiB    ▒ Optimizer  795.1 KiB     ",
                " ░ Batch      196.5 KiB    ▞ Activ.      2.50 KiB    · Temp.      397.5 KiB     ",
            ],
        ),
        (
            (40, 6),
            [
                " █ par   398K ▚ grad  398K ▒ opt   795K ",
                " ░ data  196K ▞ act  2.50K · temp  398K ",
            ],
        ),
        (
            (120, 8),
            [
                f" █ Parameters       397.5 KiB   18%  ✓{' ' * 21}"
                f"  ▚ Gradients        397.5 KiB   18%  ✓{' ' * 21} ",
                f" ▒ Optimizer state  795.1 KiB   36%  +16 B{' ' * 17}"
                f"  ░ Batch data       196.5 KiB    9%  +512 B{' ' * 16} ",
            ],
        ),
    ],
)
async def test_categories_stand_beside_one_another(size: tuple[int, int], lines: list[str]) -> None:
    async with screen(*size, *BEGUN) as seen:
        part = seen.app.query_one(CategoryBrief)
        drawn = part.draw(part._shown, *part.content_size).plain.split("\n")
        assert [f" {line}".rstrip() for line in drawn[:2]] == [line.rstrip() for line in lines]


async def test_a_click_on_a_category_in_a_pane_chooses_it() -> None:
    async with screen(80, 6, *BEGUN) as seen:
        await seen.pilot.click(CategoryBrief, offset=(60, 0))
        assert seen.app.state.chosen == "optimizer_state"
        assert "▒▸Optimizer" in seen.text
        await seen.pilot.click(CategoryBrief, offset=(2, 1))
        assert seen.app.state.chosen == "batch_data"


@pytest.mark.parametrize("width", [40, 80])
async def test_news_and_keys_share_a_line_where_there_is_one(width: int) -> None:
    async with screen(width, 6, *BEGUN) as seen:
        assert seen.lines[-1].startswith(" + - batch  b type  ")
        await seen.hear(configured(batch_size=128), measured(128))
        assert seen.lines[-1].startswith(" ▸ batch 64 → 128" if width == 80 else " ▸ ")
        assert "2.33 MiB" in seen.lines[-1]
        await seen.hear(out_of_memory())
        assert seen.lines[-1].startswith(" ! batch 8,192 out")
        assert seen.lines[-1].endswith("  ? help  q quit ")


@pytest.mark.parametrize("width", [40, 50, 60])
async def test_a_pane_too_says_what_is_synthetic_and_what_is_paused(width: int) -> None:
    capped = configured(dataset="cifar10", optimizer="momentum", batch_size=6000, budget=24 * 2**20)
    capped = replace(capped, data=replace(capped.data, source="synthetic"))
    async with screen(width, 6, HELLO, capped, sample(), Flow(True, False)) as seen:
        batch = "b 6,000" if width == 40 else "batch 6,000"
        for text in ("CIFAR-10 synthetic", batch, " PAUSED "):
            assert text in seen.lines[0]


@pytest.mark.parametrize("size", [(40, 6), (80, 6), (80, 10), (120, 12)])
async def test_a_question_can_be_read_and_answered_in_a_pane(size: tuple[int, int]) -> None:
    async with screen(*size, *BEGUN) as seen:
        for key in ("b", "a", "w", "l", "v"):
            await seen.press(key)
            answer = seen.app.screen.query_one(Input)
            assert seen.app.screen.region.contains_region(answer.region)
            assert answer.region.area
            assert "enter sets it, esc leaves it" in seen.text
            await seen.press("escape")


@pytest.mark.parametrize("size", [(40, 6), (80, 6), (80, 12)])
async def test_help_can_be_scrolled_in_a_pane(size: tuple[int, int]) -> None:
    async with screen(*size, *BEGUN) as seen:
        await seen.press("question_mark")
        assert "double the batch" in seen.text
        assert "esc closes" in seen.text
        await seen.press("end")
        assert "double the batch" not in seen.text


@pytest.mark.parametrize("height", [6, 7, 8, 10, 13, 17])
@pytest.mark.parametrize("width", [60, 80])
async def test_the_tour_is_led_in_a_pane(width: int, height: int) -> None:
    async with screen(width, height, *BEGUN) as seen:
        await seen.press("T")
        assert "1 of 7" in seen.text
        assert "▸ batch 64: peak 2.14 MiB" in seen.text
        assert seen.app.query_one(TourStrip).region.height >= 4
        assert seen.app.query_one(SplitBar).region.height >= 1


async def test_the_image_says_what_it_needs_and_the_way_back() -> None:
    async with screen(80, 10, *BEGUN, picture()) as seen:
        await seen.press("i")
        for text in ("needs 60 by 18", "here is 80 by 10", "esc goes back"):
            assert text in seen.text
        await seen.press("escape")
        assert "peak 2.14 MiB" in seen.text


@pytest.mark.parametrize("size", [(39, 20), (80, 5), (60, 3), (30, 1)])
async def test_too_small_a_pane_says_so_kindly(size: tuple[int, int]) -> None:
    async with screen(*size, *BEGUN) as seen:
        assert "A little more room, please" in seen.text
        assert "Params" not in seen.text
        if size[1] > 1:
            assert "needs 40 by 6" in seen.text


async def test_only_the_glyph_of_a_category_has_its_colour() -> None:
    async with screen(80, 6, *BEGUN) as seen:
        paper = seen.app.query_one(CategoryBrief).palette.background
        for name in ("Params", "Grads", "Temp."):
            (style,) = seen.styles(name)
            assert style.bgcolor
            assert style.bgcolor.get_truecolor().hex.lower() == paper.lower()


async def test_categories_are_drawn_in_however_few_columns_while_a_size_changes() -> None:
    async with screen(60, 10, HELLO, configured(), sample(), measured()) as seen:
        brief = seen.app.query_one(CategoryBrief)
        shown = brief.pick(seen.app.state)
        for width in range(1, 40):
            picture = brief.draw(shown, width, 6)
            assert all(line.cell_len <= width for line in picture.split("\n"))
