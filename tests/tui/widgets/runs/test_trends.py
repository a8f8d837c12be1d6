"""The charts over the images that were trained on."""

from __future__ import annotations

from itertools import cycle

import msgspec
import pytest
from made import HELLO, configured, measured, out_of_memory, sample
from screens import Screen, screen
from vramtop.protocol.split import AllocatorMemory, Reading
from vramtop.tui.state.history import OutOfMemoryMark, Point
from vramtop.tui.state.lesson.folding import fold
from vramtop.tui.widgets.changes import changes as differing
from vramtop.tui.widgets.runs.trends import Trends, changes, ticks
from vramtop.tui.widgets.step.anatomy import AnatomyChart
from vramtop.tui.worker.link import Received

BEGUN = (HELLO, configured(), measured())


def points(*sizes: tuple[int, int]) -> list[Point]:
    """Points at these images, with these batch sizes."""
    return [Point(images, size, 0.5, 1e4, 2**20, None) for images, size in sizes]


def session() -> list[Received]:
    """A training whose loss falls, which doubles its batch after 10 of 20 samples."""
    messages: list[Received] = [sample(640 * step, loss=2 / step) for step in range(1, 11)]
    messages += [configured(batch_size=128), measured(128)]
    return messages + [sample(640 * step, loss=2 / step, batch_size=128) for step in range(11, 21)]


def picture(seen: Screen, width: int, height: int, *, braille: bool = True) -> list[str]:
    part = seen.app.query_one(Trends)
    part.braille = braille
    return [line.text for line in part.draw(part.pick(seen.app.state), width, height)]


def test_a_batch_size_stands_right_of_where_it_began() -> None:
    assert changes(points((10, 64), (50, 128), (100, 128)), 24) == "64          │128        "


def test_a_tick_stays_where_its_size_has_no_room() -> None:
    axis = changes(points((10, 64), (50, 128), (60, 256), (100, 256)), 24)
    assert axis == "64          │ │256      "


@pytest.mark.parametrize(("first", "start"), [(64, "batch 64│128"), (4096, "   4,096│128")])
async def test_the_first_size_stands_left_of_the_axis_where_the_next_came_soon(
    first: int, start: str
) -> None:
    begun = (HELLO, configured(batch_size=first), measured(first))
    then = (configured(batch_size=128), measured(128))
    samples = [sample(first + images, batch_size=128) for images in (128, 40_000, 120_000)]
    early = sample(first, batch_size=first)
    async with screen(200, 60, *begun, early, *then, *samples) as seen:
        lines = picture(seen, 40, 9)
    assert any(line.startswith(start) for line in lines), lines


@pytest.mark.parametrize("width", [1, 2, 5, 30])
def test_the_axis_has_the_width_of_the_curves(width: int) -> None:
    assert len(changes(points((0, 64), (3, 128), (4, 256), (112, 512)), width)) == width


async def test_a_change_of_batch_size_is_in_the_same_column_of_every_chart() -> None:
    async with screen(200, 60, *BEGUN, *session()) as seen:
        lines = picture(seen, 60, 20)
        (at,) = ticks(seen.app.state.history.points, 52)
    axis = next(line for line in lines if "batch" in line)
    assert axis.index("│") == 8 + at
    assert axis[8 + at :].startswith("│128")
    starts = [i for i, line in enumerate(lines) if line.startswith(("loss", "samples/s", "memory"))]
    assert len(starts) == 3
    for start, end in zip(starts, [*starts[1:], lines.index(axis)], strict=True):
        column = {line[8 + at] for line in lines[start + 1 : end]}
        assert "│" in column
        assert " " not in column


@pytest.mark.parametrize(
    ("height", "names"),
    [
        (5, ["loss"]),
        (8, ["loss"]),
        (9, ["loss", "samples/s"]),
        (13, ["loss", "samples/s", "memory,"]),
    ],
)
async def test_there_are_as_many_charts_as_there_is_room_for(height: int, names: list[str]) -> None:
    async with screen(200, 60, *BEGUN, *session()) as seen:
        lines = picture(seen, 60, height)
    assert len(lines) == height
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == names


async def test_each_chart_tells_the_latest_value_and_the_ends_of_its_scale() -> None:
    async with screen(200, 60, *BEGUN, *session()) as seen:
        lines = picture(seen, 60, 20)
    gutter = [line[:8].strip() for line in lines if line.startswith(" ")]
    assert lines[0].startswith("loss  0.1000, log scale")
    assert [text for text in gutter if text] == [
        *("2", "0.1"),
        *("100k", "0"),
        *("3.00M", "0"),
        *("batch", "images"),
    ]
    assert "samples/s    64,000" in lines
    assert "memory, step's peak   2.33 MiB" in lines
    assert lines[-1].split() == ["images", "0", "15k"]


async def test_where_there_is_an_allocator_its_peak_and_what_it_reserved_are_drawn() -> None:
    memory = AllocatorMemory(
        {"zero_grad": Reading(2**20, 2**20)}, reserved=8 * 2**20, allocated_peak=3 * 2**20
    )
    on_gpu = msgspec.structs.replace(measured(), allocator=memory)
    async with screen(200, 60, HELLO, configured(), on_gpu, sample(640), sample(1280)) as seen:
        lines = picture(seen, 60, 20)
        title = "peak allocated   3.00 MiB  reserved   8.00 MiB"
        chart = lines[lines.index(title) + 1 :]
        assert chart[0].startswith("  8.00M ")
        assert ["⠉⠉" in line for line in chart[:5]] == [True, False, False, True, False]
        narrow = "\n".join(picture(seen, 38, 20))
    assert "allocated 3.00 MiB  reserved 8.00 MiB" in narrow


async def test_a_loss_too_small_for_the_scale_says_so() -> None:
    async with screen(200, 60, *BEGUN, sample(640, loss=0.0), sample(1280, loss=0.5)) as seen:
        assert any(line.startswith(" ≤1e-06 ") for line in picture(seen, 60, 8))


async def test_a_loss_that_is_no_number_is_not_drawn() -> None:
    nan = float("nan")
    async with screen(200, 60, *BEGUN, sample(640, loss=nan), sample(1280, loss=nan)) as seen:
        lines = picture(seen, 60, 8)
    assert lines[0].startswith("loss     nan")
    assert not any(0x2800 < ord(character) < 0x2900 for line in lines for character in line)


async def test_a_plain_picture_has_no_dots() -> None:
    async with screen(200, 60, *BEGUN, *session()) as seen:
        plain = "".join(picture(seen, 60, 20, braille=False)).replace("│", "")
    assert plain.isascii()
    assert {"'", "-", "_", "|"} <= set(plain)


async def test_a_sample_more_changes_few_cells() -> None:
    async with screen(120, 40, *BEGUN, *session()) as seen:
        part = seen.app.query_one(Trends)
        before = part._lines
        await seen.hear(sample(13_000, batch_size=128, loss=0.1))
        changed = differing(before, part._lines)
        assert 0 < sum(region.area for region in changed) <= 20


async def test_after_each_event_the_charts_look_as_if_drawn_at_once() -> None:
    """A theme, a batch size, an out of memory, another end of a scale, a training that restarts."""
    events: list[Received] = [
        *(configured(batch_size=256), measured(256)),
        sample(13_500, batch_size=256, loss=0.01),
        out_of_memory(batch_size=512, restored=256),
        sample(14_000, batch_size=256, loss=50.0),
        *(sample(15_000 + 900 * step, batch_size=256, loss=1.0) for step in range(4)),
        msgspec.structs.replace(configured(batch_size=256), fresh=True),
        *(sample(640 * step, loss=1.0) for step in range(1, 4)),
    ]
    async with screen(120, 40, *BEGUN, *session()) as seen:
        charts, state = (Trends(braille=True), Trends(braille=False)), seen.app.state
        for event, theme in zip(events, cycle([*["dark"] * 4, *["light"] * 4]), strict=False):
            state = fold(state, event)
            seen.app.theme = theme
            for part in charts:
                facts = part.pick(state)
                assert part.draw(facts, 60, 20) == Trends(braille=part.braille).draw(facts, 60, 20)


async def test_rows_without_a_change_are_not_drawn_again() -> None:
    async with screen(120, 40, *BEGUN, *session()) as seen:
        part, state = seen.app.query_one(Trends), seen.app.state
        before = part.draw(part.pick(state), 60, 20)
        state = fold(state, sample(12_900, batch_size=128, loss=0.1))
        after = part.draw(part.pick(state), 60, 20)
    same = [new for new in after if any(new is old for old in before)]
    assert len(same) >= len(after) // 3


async def test_in_a_narrow_terminal_a_key_shows_the_trends_in_the_anatomys_place() -> None:
    async with screen(80, 24, *BEGUN, *session()) as seen:
        anatomy, trends = seen.app.query_one(AnatomyChart), seen.app.query_one(Trends)
        place = anatomy.region
        assert not trends.region.area
        await seen.pilot.press("y")
        assert trends.region == place
        assert not anatomy.region.area
        assert "log scale" in seen.text
        await seen.pilot.press("y")
        assert (anatomy.region, trends.region.area) == (place, 0)


async def test_beside_the_anatomy_stand_the_loss_and_the_speed() -> None:
    async with screen(120, 40, *BEGUN, *session()) as seen:
        assert seen.app.query_one(AnatomyChart).region.area
        for text in ("loss  0.1000", "samples/s    64,000", "│128"):
            assert text in seen.text


def test_what_ran_out_of_memory_has_a_cross_on_the_axis() -> None:
    axis = changes(points((64, 64), (2000, 64)), 40, [OutOfMemoryMark(1000, 8192)])
    assert axis == f"{'64':<20}×8,192".ljust(40)
