"""The cursor on the screen: its column, what is behind it and ahead, and the words about it."""

from __future__ import annotations

import pytest
from made import HELLO, configured, sample
from recorded import ANATOMY, BOUNDARIES, GOES, PAUSED, RECORDED, SLOW, held
from rich.style import Style
from screens import Screen, screen
from vramtop.tui.state import walk
from vramtop.tui.terminal.palette import DARK, dimmed
from vramtop.tui.widgets.step.anatomy import AnatomyChart
from vramtop.tui.widgets.step.stretches import column_of, stretches

BEGUN = (HELLO, configured(), sample(), RECORDED)


def chart(seen: Screen) -> tuple[list[list[tuple[str, Style]]], list[list[tuple[str, Style]]]]:
    """The cells of the chart, line by line: its signs and stacks, and its axis apart."""
    panel = seen.app.query_one(AnatomyChart)
    strips = [panel.render_line(y) for y in range(panel.content_size.height)]
    lines = [[(c, s.style or Style()) for s in strip for c in s.text] for strip in strips]
    return lines[:-1], lines[-1:]


def fills(seen: Screen, column: int) -> set[str]:
    """The colours in a column of the stacks."""
    (_, *rows), _ = chart(seen)
    colors = (color for row in rows for color in (row[column][1].color, row[column][1].bgcolor))
    return {color.name for color in colors if color and color.name in FILLS}


FILLS = {*DARK.fills, *dimmed(DARK).fills}


def head(seen: Screen, place: int) -> int:
    width = seen.app.query_one(AnatomyChart).content_size.width
    return column_of(stretches(ANATOMY, width), place)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_the_chart_is_bright_before_the_cursor_and_dim_after_it(
    size: tuple[int, int],
) -> None:
    async with screen(*size, *BEGUN, PAUSED, held("backward")) as seen:
        await seen.pilot.press("escape", "left", "left")  # the place before 6
        column, last = head(seen, 5), head(seen, 10)
        assert fills(seen, column) <= set(DARK.fills)
        assert fills(seen, 0) <= set(DARK.fills)
        assert fills(seen, column + 1) <= set(dimmed(DARK).fills)
        assert fills(seen, last) <= set(dimmed(DARK).fills)


async def test_the_cursor_stands_over_its_column_down_to_what_is_held() -> None:
    async with screen(120, 40, *BEGUN) as seen:
        seen.app.query_one(AnatomyChart).post_message(AnatomyChart.Chosen(3))
        await seen.pilot.pause()
        rows, axis = chart(seen)
        column = head(seen, 3)
        pin = [row[column] for row in rows]
        length = [cell for cell, _ in pin].index(pin[-1][0])
        assert [cell for cell, _ in pin[:2]] == ["│", "│"]
        assert {style.color.name for _, style in pin[:2] if style.color} == {DARK.accent}
        assert all(cell != "│" for cell, _ in pin[length:])
        # The line on the axis ends beneath it.
        assert axis[0][column][0] == "╯"


async def test_at_rest_all_is_bright_and_no_clock_runs() -> None:
    async with screen(120, 40, *BEGUN) as seen:
        for place in range(11):
            assert fills(seen, head(seen, place)) <= set(DARK.fills)
        assert not seen.app.walk.running


async def test_forward_and_the_loss_stand_apart_on_the_axis() -> None:
    async with screen(120, 40, *BEGUN) as seen:
        axis = "".join(cell for cell, _ in chart(seen)[1][0])
        assert axis.split() == ["╵load", "╵forward", "╵loss", "╵backward", "╵optimizer", "╵zero"]
        width = seen.app.query_one(AnatomyChart).content_size.width
        parts = {part.name: part for part in stretches(ANATOMY, width)}
        assert parts["loss"].columns[0].place == ANATOMY.loss
        assert (parts["forward"].phase, parts["loss"].phase) == ("forward", "forward")


async def test_without_colours_only_the_outline_of_what_is_ahead_is_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with screen(120, 40, *BEGUN, PAUSED, held("load")) as seen:
        await seen.pilot.press("escape")
        (_, *rows), _ = chart(seen)
        ahead = ["".join(row[column][0] for row in rows) for column in (head(seen, 5), -1)]
        assert [stack.strip() for stack in ahead] == ["╌", "╌"]
        assert "█" in "".join(row[0][0] for row in rows)


async def test_the_bars_and_the_rows_show_the_moment_with_its_operator() -> None:
    async with screen(120, 40, *BEGUN, PAUSED, held("backward")) as seen:
        await seen.pilot.press("escape", "left", "left")
        assert "moment  6/11 208.0 KiB in backward, by mm" in seen.text
        assert seen.line("KiB a step").split()[3] == "moment"
        assert seen.line("Gradients").split()[1] == "4.0"
        assert seen.line("Activations").split()[1] == "34.0"
        assert "+4.00 KiB gradients by mm" in seen.text
        await seen.pilot.press("right")
        assert "moment  7/11 148.0 KiB in backward, after mm" in seen.text
        assert "−30.0 KiB activations, −30.0 KiB temporaries" in seen.text
        assert seen.line("Temporaries").split()[1] == "0.0"
        await seen.pilot.press("escape")
        assert "held 184.0 KiB after backward" in seen.text
        assert seen.line("KiB a step").split()[3] == "held"


async def test_a_walk_comes_to_the_boundary_by_itself_and_its_clock_stops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(walk, "MOMENT_SECONDS", 0.02)
    monkeypatch.setattr(walk, "FRAME_SECONDS", 0.01)
    async with screen(120, 40, *BEGUN) as seen:
        places = list[int | None]()
        seen.app.receive(PAUSED)
        seen.app.receive(held("backward"))
        while seen.app.state.walk is not None:
            places.append(seen.app.state.cursor)
            await seen.pilot.pause(0.01)
        assert places[0] == 4
        assert places == sorted(p for p in places if p is not None)
        assert "held 184.0 KiB after backward" in seen.text
        assert not seen.app.walk.running


async def test_the_peak_is_where_one_starts_while_the_training_runs() -> None:
    async with screen(120, 40, *BEGUN, GOES) as seen:
        await seen.pilot.press("left")
        assert "moment  8/11 184.0 KiB in backward, by mm" in seen.text
        # Another look at the same step changes nothing.
        await seen.hear(sample(1280), RECORDED)
        assert "moment  8/11" in seen.text
        await seen.pilot.press("escape")
        assert "peak 264.0 KiB in optimizer, by div" in seen.text


async def test_over_the_peak_one_mark_stands_for_both() -> None:
    async with screen(80, 24, *BEGUN, PAUSED, held("optimizer")) as seen:
        await seen.pilot.press("escape", "left")
        signs = "".join(cell for cell, _ in chart(seen)[0][0])
        assert signs.split("▼")[0].strip() == "+80.0 KiB temporaries by div"
        assert signs.split("▼")[1].strip() == "peak 264.0 KiB"
        assert "│" not in signs


async def test_before_a_step_is_recorded_there_is_no_moment_to_go_to() -> None:
    async with screen(80, 24, HELLO, configured()) as seen:
        await seen.pilot.press("right")
        assert seen.app.state.cursor is None


@pytest.mark.parametrize("place", [0, 5, 8, 10])
async def test_a_click_puts_the_cursor_there(place: int) -> None:
    async with screen(120, 40, *BEGUN, SLOW, held("load")) as seen:
        await seen.pilot.click(AnatomyChart, offset=(head(seen, place), 3))
        assert seen.app.state.cursor == place


async def test_a_short_batch_shows_its_boundary_alone() -> None:
    async with screen(120, 40, *BEGUN, PAUSED) as seen:
        await seen.hear(held("backward", rows=48))
        assert "held 184.0 KiB after backward · 48 images" in seen.text
        assert fills(seen, head(seen, 10)) <= set(DARK.fills)
        assert BOUNDARIES["backward"] == seen.app.state.held.split


async def test_signs_that_meet_keep_air_between_them() -> None:
    async with screen(200, 60, *BEGUN, PAUSED, held("backward")) as seen:
        await seen.pilot.press("escape")
        for _ in range(3):
            await seen.pilot.press("right")
            signs = "".join(cell for cell, _ in chart(seen)[0][0]).strip()
            assert "▼" in signs
            for mark in "▼│":
                for at in (n for n, cell in enumerate(signs) if cell == mark):
                    around = signs[max(0, at - 1)] + signs[min(len(signs) - 1, at + 1)]
                    assert set(around) <= {" ", "│", "▼"}
