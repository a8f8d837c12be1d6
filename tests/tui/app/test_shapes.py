"""The table of shapes on a program's screen: when it is there, and what it shows."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from recorded_app import program
from recorded_program import WATCHED
from scripted import painted, seen
from shapes_seen import ROWS, SEEN
from vramtop.protocol.observed.shapes import Shapes
from vramtop.tui.widgets.step.inside_list import InsideList
from vramtop.tui.widgets.step.shapes import ShapeTable
from vramtop.tui.words import units
from vramtop.tui.worker.link import ShapesSeen, WorkerLine

ROOMY = [(200, 60), (168, 34), (120, 50)]
NARROW = [(80, 6), (80, 12), (80, 24), (99, 60), (120, 40)]


@pytest.mark.parametrize("size", ROOMY)
async def test_each_shape_has_its_peak_and_the_room_is_an_estimate(size: tuple[int, int]) -> None:
    async with program(size) as pilot:
        text = await painted(pilot, SEEN)
        table = pilot.app.screen.query_one(ShapeTable)
        lines = [line.plain for line, *_ in table._drawn]
        assert all(line.rstrip() in text for line in lines)
        assert lines[0].split() == ["shapes", "seen", "watched", "peak", "step", "time"]
        assert lines[1].split() == ["int64", "16", "×", "128", "41", "193M", "20.2", "ms"]
        assert lines[2].split() == ["int64", "16", "×", "96", "63", "157M", "15.8", "ms"]
        listed = len(lines) - 3
        steps = sum(row.watched for row in ROWS[listed:]) + 7
        assert lines[-2].split() == ["…", "other", "shapes", str(steps)]
        room = "room for about 730 rows, now 16 (estimate; 24 proved)"
        assert units.cut(room, table.size.width) == lines[-1]
        assert max(map(len, lines)) <= table.size.width
        assert pilot.app.screen.query_one(InsideList).region.height >= 4


async def test_an_inference_is_called_so_and_all_are_listed_where_there_is_room() -> None:
    async with program((200, 60)) as pilot:
        few = ShapesSeen(Shapes(seen=ROWS[:4]))
        text = await painted(pilot, few)
        assert "inference int64 64 × 128" in text
        assert "other shapes" not in text
        assert "estimate)" not in text.split("shapes seen")[1]


@pytest.mark.parametrize("size", NARROW)
async def test_where_there_is_no_room_nothing_is_pushed_out(size: tuple[int, int]) -> None:
    async with program(size) as pilot:
        before = seen(pilot.app)
        assert await painted(pilot, SEEN) == before


@pytest.mark.parametrize("size", [*ROOMY, *NARROW])
async def test_where_they_are_asked_for_the_shapes_have_the_lists_place_at_every_size(
    size: tuple[int, int],
) -> None:
    async with program(size) as pilot:
        app, before = pilot.app, await painted(pilot, SEEN)
        modules = app.screen.query_one(InsideList)
        beside = bool(modules.region.area)
        await pilot.press(*["m"] * (2 if beside else 3))
        text = await painted(pilot)
        assert not modules.region.area
        assert text.count("shapes seen") == 1
        if size[1] > 7:
            assert "int64 16 × 128" in text
            assert "room for about 730 rows" in text
        await pilot.press("s")  # they are always sorted by their peaks
        assert await painted(pilot) == text
        await pilot.press("m")
        await pilot.pause()
        assert await painted(pilot) == before


async def test_one_shape_that_is_asked_for_is_told_and_so_is_none() -> None:
    async with program((120, 40)) as pilot:
        await painted(pilot, ShapesSeen(Shapes()))
        await pilot.press("m", "m")
        assert "shapes seen" in await painted(pilot)
        one = ShapesSeen(Shapes(seen=ROWS[:1]))
        assert "int64 16 × 128" in await painted(pilot, one)


@pytest.mark.parametrize("size", [*ROOMY, *NARROW])
async def test_one_shape_has_no_table(size: tuple[int, int]) -> None:
    async with program(size) as pilot:
        before = seen(pilot.app)
        one = replace(SEEN, shapes=replace(SEEN.shapes, seen=ROWS[:1]))
        assert await painted(pilot, one) == before


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("lines", [19, 21, 22, 33, 34, 35, 38, 39, 45, 46])
async def test_the_keys_are_on_the_screen_whatever_its_height(columns: int, lines: int) -> None:
    async with program((columns, lines)) as pilot:
        text = await painted(pilot, SEEN)
        assert "? help  q quit" in text.splitlines()[-1]
        assert "Total" in text


async def test_another_program_begins_without_shapes() -> None:
    async with program((200, 60)) as pilot:
        assert "shapes seen" in await painted(pilot, SEEN)
        text = await painted(pilot, replace(WATCHED, pid=4712, kind=None))
        assert "shapes seen" not in text


async def test_the_output_alone_hides_the_shapes() -> None:
    async with program((200, 60)) as pilot:
        await painted(pilot, SEEN, WorkerLine("a line"))
        pilot.app.screen.add_class("output")
        await pilot.pause()
        assert "shapes seen" not in seen(pilot.app)
