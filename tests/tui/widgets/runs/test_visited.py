"""The table of batch sizes: its columns, its rows, and the mouse."""

from __future__ import annotations

import pytest
from made import HELLO, configured, measured, out_of_memory, sample
from msgspec.structs import replace
from screens import Screen, screen
from scripted import Script, begin, painted, seen
from vramtop.protocol.lesson.messages import Compared, Evaluated, LessonOutOfMemory
from vramtop.protocol.lesson.settings import Settings
from vramtop.tui.app.lesson_app import VramtopApp
from vramtop.tui.terminal.palette import DARK
from vramtop.tui.widgets.runs.visited import VisitedTable
from vramtop.tui.worker.link import Received


def visit(batch_size: int) -> tuple[Received, ...]:
    images = batch_size * 10
    return (
        configured(batch_size=batch_size),
        sample(images, batch_size=batch_size),
        measured(batch_size),
    )


BEGUN = (HELLO, *visit(64))
LEARNED = [Evaluated(epoch, 1 / epoch, 0.9, 1000, 1000, None) for epoch in range(1, 7)]
OUT_OF_MEMORY = out_of_memory()
WITHOUT_FIGURES = out_of_memory(needed=None, limit=None, detail="CUDA out of memory")


def table(seen: Screen, width: int, height: int = 8) -> list[str]:
    part = seen.app.query_one(VisitedTable)
    return part.draw(part.pick(seen.app.state), width, height).plain.split("\n")


async def test_with_more_room_come_more_columns_until_all_are_there() -> None:
    async with screen(120, 40, *BEGUN, *LEARNED) as seen:
        titles = {width: " ".join(table(seen, width)[0].split()) for width in (58, 78, 87, 140)}
    assert titles == {
        58: "batch KiB data activ. peak step ms samples/s",
        78: "batch KiB data activ. peak formula step ms samples/s from loss@30k",
        87: "batch KiB data activ. peak formula step ms samples/s updates from loss@30k",
        140: "batch KiB params grads optim. data activ. temp. peak formula step ms samples/s"
        " updates from loss@0 loss@30k",
    }


async def test_a_row_has_every_figure_in_the_unit_of_its_column() -> None:
    async with screen(120, 40, *BEGUN, *LEARNED) as seen:
        (row,) = table(seen, 140)[1:]
    peak = measured().anatomy.peak.bytes
    high = measured().anatomy.high_water
    sizes = [high.parameters, high.gradients, high.optimizer_state, high.batch_data]
    sizes += [high.activations, high.temporaries, peak, 1_628_320 + 64 * 3648]
    assert row.split() == [
        "▸",
        "64",
        *(f"{size / 1024:,.1f}" for size in sizes),
        *("1.00", "64,000", "94", "6k", "1.0000", "0.1667"),
    ]


async def test_figures_end_where_their_titles_end() -> None:
    async with screen(120, 40, *BEGUN, *visit(512), *LEARNED) as seen:
        for width in range(58, 150):
            head, *rows = table(seen, width)
            for title in set(head.split()) - {"KiB", "step"}:
                end = head.index(title) + len(title) - 1
                ends = {row[end] != " " and row[end + 1 : end + 2] in ("", " ") for row in rows}
                assert ends == {True}, (width, title)


@pytest.mark.parametrize(
    ("failed", "row"),
    [
        (OUT_OF_MEMORY, "8,192  out of memory: at least 41.2 MiB of 24.0 MiB"),
        (WITHOUT_FIGURES, "8,192  out of memory"),
    ],
)
async def test_a_size_that_did_not_fit_says_what_was_missing(
    failed: LessonOutOfMemory, row: str
) -> None:
    async with screen(80, 24, *BEGUN, configured(batch_size=8192), failed) as seen:
        assert table(seen, 58)[-1].strip("▸ ") == row


async def test_of_more_rows_than_room_those_around_the_one_in_force_are_shown() -> None:
    sizes = [size for power in range(9) for size in visit(2**power)]
    async with screen(80, 24, HELLO, *sizes, *visit(16)) as seen:
        assert [row.split()[:2] for row in table(seen, 78, 4)[1:]] == [
            ["8", "24.6"],
            ["▸", "16"],
            ["32", "98.2"],
        ]


async def test_the_least_that_did_not_fit_is_shown_however_far_it_is() -> None:
    sizes = [size for power in range(9) for size in visit(2**power)]
    too_large = [configured(batch_size=8192), OUT_OF_MEMORY]
    async with screen(120, 40, HELLO, *sizes, *too_large, *visit(4)) as seen:
        batches = [row.strip("▸ ").split()[0] for row in table(seen, 78, 6)[1:]]
        assert batches == ["1", "2", "4", "8", "8,192"]
        batches = [row.strip("▸ ").split()[0] for row in table(seen, 78, 4)[1:]]
        assert batches == ["2", "4", "8"]


async def test_a_click_on_a_row_goes_back_to_its_size(app: VramtopApp, script: Script) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await painted(pilot, *BEGUN, *visit(128), *visit(256))
        await pilot.click(VisitedTable, offset=(10, 1))
        assert script.changes == [{"batch_size": 64}]
        await pilot.click(VisitedTable, offset=(10, 0))
        assert len(script.changes) == 1


@pytest.mark.parametrize("accumulation", [1, 4])
async def test_a_click_on_the_size_that_runs_says_so_and_asks_for_nothing(
    app: VramtopApp, script: Script, accumulation: int
) -> None:
    added = {"accumulation": accumulation}
    images = 64 * accumulation
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await painted(
            pilot, HELLO, configured(**added), sample(batch_size=images), measured(images)
        )
        await pilot.click(VisitedTable, offset=(10, 1))
        await pilot.pause()
        batch = "64" if accumulation == 1 else "64 ×4 = 256"
        assert f"batch {batch} is running already" in seen(app)
        assert script.changes == []


async def test_a_click_on_a_size_that_was_just_asked_for_says_so(
    app: VramtopApp, script: Script
) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await begin(pilot, *BEGUN, *visit(128))
        app.paint()
        for _ in range(2):
            await pilot.click(VisitedTable, offset=(10, 1))
        await pilot.pause()
        assert "batch 64 is asked for already" in seen(app)
        assert script.changes == [{"batch_size": 64}]


async def test_what_was_compared_fairly_has_a_column_of_its_own() -> None:
    fair = Compared(Settings(batch_size=16), 30_000, 2.3, 0.25, 0.9)
    async with screen(120, 40, *BEGUN, *LEARNED, fair) as seen:
        head, first, second = table(seen, 78)
    assert head.split()[-3:] == ["fair@30k", "from", "loss@30k"]
    assert first.split()[-3:] == ["0.2500", "–", "–"]
    assert second.split()[-3:] == ["–", "6k", "0.1667"]


async def test_a_live_loss_that_began_later_than_others_is_dim() -> None:
    later = [replace(each, epoch=each.epoch + 9) for each in LEARNED]
    messages = (*BEGUN, *LEARNED, *visit(128), *later)
    async with screen(120, 40, *messages) as seen:
        part = seen.app.query_one(VisitedTable)
        text = part.draw(part.pick(seen.app.state), 140, 8)
    at = [text.plain.index(start) for start in ("6k", "60k")]
    styles = [text.get_style_at_offset(seen.app.console, each).color for each in at]
    assert styles[0] != styles[1]
    assert styles[1] is not None
    assert styles[1].name == DARK.muted
