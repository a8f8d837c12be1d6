"""The trade between batch sizes: what is best at what, and how it is drawn."""

from __future__ import annotations

from itertools import pairwise

import pytest
from made import HELLO, configured, measured, out_of_memory, sample
from msgspec.structs import replace
from rich.style import Style
from screens import Screen, screen
from vramtop.protocol.lesson.messages import Compared, Evaluated
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.split import Split
from vramtop.tui.state.lesson.visits import Learned, Visit
from vramtop.tui.terminal.capabilities import Terminal
from vramtop.tui.terminal.palette import DARK
from vramtop.tui.widgets.runs.measures import MEASURES, best, places
from vramtop.tui.widgets.runs.trade import TradeChart
from vramtop.tui.widgets.runs.trends import Trends
from vramtop.tui.widgets.step.anatomy import AnatomyChart
from vramtop.tui.worker.link import Received

MEMORY, SPEED, PER_IMAGE, PER_SECOND = MEASURES
SMALL = Visit(
    64, split=Split(10, 20), samples_per_second=1e4, learned=Learned(0.5, 0.2, 30_000, 6_000, 1e-3)
)
LARGE = Visit(
    1024, split=Split(90), samples_per_second=1e5, learned=Learned(0.2, 0.14, 30_000, 36_000, 1e-3)
)
SHORT = Visit(8192, peak=10**9, out_of_memory=True)


def visit(
    batch_size: int, speed: float, before: float, after: float, epoch: int = 1
) -> list[Received]:
    """A size is trained with until what was learned is known: five epochs apart."""
    messages: list[Received] = [configured(batch_size=batch_size), measured(batch_size)]
    messages += [replace(sample(batch_size, batch_size=batch_size), samples_per_second=speed)]
    ends = [before, *[0.5] * 4, after]
    return messages + [
        Evaluated(n, loss, 0.9, 1000, 1000, None) for n, loss in enumerate(ends, epoch)
    ]


OUT_OF_MEMORY = out_of_memory(restored=1024)
VISITED = (HELLO, *visit(64, 1e4, 0.5, 0.2), *visit(1024, 1e5, 0.2, 0.14, epoch=7))
FAIR = tuple(
    Compared(Settings(batch_size=size), 30_000, 2.3, after, 0.9, None, None, None)
    for size, after in ((64, 0.3), (1024, 0.5))
)
ENDED = (*VISITED, configured(batch_size=8192), OUT_OF_MEMORY, configured(batch_size=1024))


def test_a_fall_is_by_image_and_at_the_speed_of_plain_steps_by_second() -> None:
    assert MEMORY.of(SMALL) == 30
    assert PER_IMAGE.of(SMALL) == pytest.approx(0.01)  # 0.3 in 30,000 images
    assert PER_SECOND.of(SMALL) == pytest.approx(0.1)
    assert PER_SECOND.of(LARGE) == pytest.approx(0.2)


def test_the_best_is_the_least_memory_and_the_most_of_all_else() -> None:
    found = [best(measure, (SMALL, LARGE, SHORT)) for measure in MEASURES]
    assert found == [64, 1024, 64, 1024]


def test_one_alone_is_not_the_best() -> None:
    assert best(SPEED, (SMALL, Visit(128), SHORT)) is None


def test_bars_stand_at_the_logarithms_of_their_sizes() -> None:
    starts, width = places([64, 128, 512, 1024], [], 43)
    assert width == 7
    assert starts == {64: 0, 128: 9, 512: 27, 1024: 36}


def test_one_size_stands_in_the_middle() -> None:
    assert places([64], [], 27) == ({64: 10}, 7)


def test_where_room_is_short_the_wanted_sizes_are_drawn() -> None:
    sizes = [*range(64, 80)]
    starts, width = places(sizes, [70, 64], 9)
    assert {64, 70} <= starts.keys()
    assert len(starts) < len(sizes)
    columns = sorted(starts.values())
    assert all(after - before > width for before, after in pairwise(columns))
    assert all(0 <= start <= 9 - width for start in columns)


def picture(seen: Screen, width: int, height: int) -> list[str]:
    part = seen.app.query_one(TradeChart)
    return part.draw(part.pick(seen.app.state), width, height).plain.split("\n")


@pytest.mark.parametrize("width", [58, 78, 118, 198])
async def test_all_four_have_the_same_axis_and_say_what_is_best(width: int) -> None:
    async with screen(200, 60, *ENDED, *FAIR) as seen:
        lines = picture(seen, width, 8)
    assert len(lines) == 8
    assert max(map(len, lines)) <= width
    title, *_, axis, note = lines
    for figure in ("2.14 MiB", "100,000", "0.0667", "6"):
        assert figure in title
    room = (width + 3) // 4 - 3
    charts = [axis[at : at + room] for at in range(0, 4 * (room + 3), room + 3)]
    assert all("64" in chart for chart in charts)
    assert note.startswith(("compared fairly: ", "fair: "))


@pytest.mark.parametrize("width", [58, 78, 118, 198])
async def test_after_different_starts_none_is_the_best_at_learning(width: int) -> None:
    async with screen(200, 60, *ENDED) as seen:
        title, *_, note = picture(seen, width, 8)
    assert "100,000" in title
    assert "0.01" not in title
    assert "0.2" not in title
    assert note.startswith("different starts: ")
    assert ("F compares" in note) is (width > 41)


async def test_sizes_that_began_alike_are_compared() -> None:
    fresh = replace(configured(batch_size=1024), fresh=True)
    messages = (HELLO, *visit(64, 1e4, 0.5, 0.2), fresh, *visit(1024, 1e5, 0.5, 0.14))
    async with screen(200, 60, *messages) as seen:
        title, *_, note = picture(seen, 118, 8)
    assert "0.012" in title
    assert note == "the same start: each learned for 30k images after one epoch"


async def test_what_did_not_fit_is_crossed_out_in_every_chart() -> None:
    async with screen(200, 60, *ENDED) as seen:
        *bars, axis, note = picture(seen, 118, 8)
    assert bars[-1].count("×") == 4
    assert axis.count("8192") == 4
    assert "× out of memory" in note


async def test_nothing_is_said_of_signs_that_are_not_there() -> None:
    async with screen(200, 60, *VISITED) as seen:
        note = picture(seen, 118, 8)[-1]
    assert "out of memory" not in note
    assert "rose" not in note


async def test_a_loss_that_rose_has_no_bar_but_an_arrow() -> None:
    async with screen(200, 60, *VISITED, *visit(128, 5e4, 0.14, 0.2, epoch=13)) as seen:
        lines = picture(seen, 118, 8)
    assert lines[-3].count("↑") == 2
    assert "↑ the loss rose" in lines[-1]


async def test_what_is_not_known_yet_is_no_bar() -> None:
    messages = (*VISITED, configured(batch_size=128), measured(128))
    async with screen(200, 60, *messages) as seen:
        lines = picture(seen, 118, 8)
    assert "–" in lines[-3]
    assert lines[-3].count("–") == 3


async def test_without_a_line_for_the_note_learning_is_not_compared() -> None:
    async with screen(200, 60, *ENDED) as seen:
        title, *_ = picture(seen, 78, 3)
    assert "samples/s" in title
    assert "fall" not in title


async def test_sizes_are_compared_with_as_many_batches_a_step() -> None:
    added = [configured(batch_size=64, accumulation=4), measured(256)]
    async with screen(200, 60, *VISITED, *added) as seen:
        part = seen.app.query_one(TradeChart)
        assert len(part.pick(seen.app.state).visited) == 1
        await seen.hear(configured(batch_size=64))
        assert len(part.pick(seen.app.state).visited) == 2


async def test_one_size_alone_is_no_trade() -> None:
    async with screen(120, 40, *VISITED[:10]) as seen:
        assert picture(seen, 118, 8) == [
            "what each batch size takes and gives: press + or - to visit another one"
        ]


async def test_the_peak_is_in_the_categories_colours_and_the_best_in_the_accent() -> None:
    async with screen(120, 40, *VISITED) as seen:
        await seen.press("x")
        part = seen.app.query_one(TradeChart)
        text = part.draw(part.pick(seen.app.state), 118, 12)
    styles = [span.style for span in text.spans if isinstance(span.style, Style)]
    colors = {color.name for style in styles for color in (style.color, style.bgcolor) if color}
    assert {DARK.fills[0], DARK.fills[2], DARK.fills[3], DARK.accent, DARK.muted} <= colors


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_a_key_puts_the_trade_in_the_anatomys_place_and_back(size: tuple[int, int]) -> None:
    async with screen(*size, *ENDED) as seen:
        trade, anatomy, trends = (
            seen.app.query_one(kind) for kind in (TradeChart, AnatomyChart, Trends)
        )
        assert (trade.display, anatomy.display) == (False, True)
        await seen.press("x")
        assert (trade.display, anatomy.display) == (True, False)
        assert trends.display is (size == (200, 60))
        assert "different starts" in seen.text
        await seen.press("y")
        assert (trade.display, trends.display) == (False, True)
        await seen.press("x", "x")
        assert (trade.display, anatomy.display) == (False, True)


@pytest.mark.parametrize("layout", [1, 2])
async def test_the_trade_goes_with_every_layout(layout: int) -> None:
    async with screen(120, 40, *ENDED) as seen:
        await seen.press("x", *["p"] * layout)
        shown = seen.app.query_one(TradeChart).region.height > 0
        assert shown is (layout == 2)  # the memory alone has no charts
        assert not seen.app.query_one(Trends).region.height


async def test_a_chosen_category_leaves_the_trade_in_sight_where_there_is_room() -> None:
    async with screen(120, 40, *ENDED) as seen:
        await seen.press("x", "down")
        assert "different starts" in seen.text
        assert not seen.app.query_one(AnatomyChart).region.height


async def test_where_there_are_few_characters_the_bars_are_of_them() -> None:
    async with screen(80, 24, *ENDED, terminal=Terminal(characters="ascii", colors=8)) as seen:
        await seen.press("x")
        assert seen.text.isascii()
        assert "different starts: F compares sizes fairly . x out of memory" in seen.text
