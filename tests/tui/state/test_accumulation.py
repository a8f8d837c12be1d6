"""Several batches a step, on the screen: the key, the line, the table, the anatomy."""

from __future__ import annotations

import msgspec
import pytest
from made import DATA, HELLO, P, after, configured, measured, sample
from screens import screen
from scripted import Script, begin, seen
from vramtop.protocol.lesson.messages import LessonMeasured
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import Flow
from vramtop.protocol.split import Anatomy, Moment, Peak, Phase, Split
from vramtop.trainer.session.expectations import differences, expectations
from vramtop.tui.app.lesson_app import VramtopApp
from vramtop.tui.state.folding import fold
from vramtop.tui.state.moments import boundary
from vramtop.tui.widgets.headlines import headline
from vramtop.tui.widgets.runs.visited import VisitedTable
from vramtop.tui.widgets.step.stretches import stretches
from vramtop.tui.words.wording import change

ADDED = configured(accumulation=16)


def added(batch_size: int = 64, times: int = 16) -> LessonMeasured:
    """A step that adds up `times` batches, each phase a moment."""
    one = measured(batch_size)
    moments = list(one.anatomy.curve)
    batch, end = moments[:3], moments[3:]
    curve = tuple(
        Moment(moment.phase, msgspec.structs.replace(moment.split, gradients=P if part else 0))
        for part in range(times)
        for moment in batch
    ) + tuple(end)
    high = msgspec.structs.replace(one.anatomy.high_water, activations=592 * batch_size + 12)
    anatomy = msgspec.structs.replace(one.anatomy, curve=curve, high_water=high)
    settings = Settings(batch_size=batch_size, accumulation=times)
    return msgspec.structs.replace(
        one,
        batch_size=batch_size * times,
        anatomy=anatomy,
        differences=differences(settings, expectations(settings, DATA.shape), high),
    )


def steps(count: int, batch_size: int = 1024) -> list[object]:
    return [sample(batch_size * step, batch_size=batch_size) for step in range(1, count + 1)]


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_the_first_line_says_what_adds_up_to_what(size: tuple[int, int]) -> None:
    async with screen(*size, HELLO, ADDED, *steps(2), added()) as shown:
        batch = "batch 64×16=1,024" if size[0] < 100 else "batch 64 ×16 = 1,024"
        assert f"  {batch}  adam" in shown.lines[0]
        assert "64,000" in shown.lines[0]


async def test_the_key_asks_how_many(app: VramtopApp, script: Script) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await begin(pilot)
        await pilot.press("a")
        await pilot.pause()
        assert "1 to 256 batches of 64 for each update" in seen(app)
        await pilot.press("backspace", "9", "9", "9", "enter")
        await pilot.pause()
        assert "accumulation is a whole number from 1 to 256, not 999" in seen(app)
        assert script.changes == []
        await pilot.press(*["backspace"] * 3, "1", "6", "enter")
        await pilot.pause()
        assert script.changes == [{"accumulation": 16}]


async def test_doubling_stops_where_the_images_of_a_step_end(
    app: VramtopApp, script: Script
) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await begin(pilot, HELLO, configured(batch_size=250, accumulation=16))
        await pilot.press("plus")
        assert script.changes == [{"batch_size": 375}]


async def test_the_table_has_both_and_a_click_goes_to_either(
    app: VramtopApp, script: Script
) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        before = [HELLO, configured(), measured(), sample(64), sample(128)]
        await begin(pilot, *before, ADDED, added(), *steps(2))  # type: ignore[arg-type]
        app.paint()
        await pilot.pause()
        table = app.query_one(VisitedTable)
        _, *rows = table.draw(table.pick(app.state), 90, 4).plain.split("\n")
        assert [row.split()[0] for row in rows] == ["64", "▸"]
        assert "64×16" in rows[1]
        assert [row.split()[-3] for row in rows] == ["94", "6"]  # updates an epoch
        assert len({row.index("1.00") for row in rows}) == 1
        await pilot.click("VisitedTable", offset=(5, 1))
        assert script.changes == [{"batch_size": 64, "accumulation": 1}]


def test_a_setting_of_its_own_is_measured_of_its_own() -> None:
    state = after(HELLO, configured(), measured(), ADDED)
    assert state.measured is None
    state = fold(state, measured())  # the last of the step before
    assert state.measured is None
    state = fold(state, added())
    assert state.measured == added()
    assert [(visit.batch_size, visit.accumulation) for visit in state.lesson.visited] == [
        (64, 1),
        (64, 16),
    ]
    assert state.news is not None
    assert headline(state.news).text.startswith("batch 64 → 64 ×16 = 1,024: peak ")


def test_a_change_names_what_it_adds_up_to() -> None:
    assert change(Settings(), Settings(accumulation=4)) == "batch 64 → 64 ×4 = 256"


async def test_the_rows_say_that_gradients_stay_and_what_activations_hold_more() -> None:
    async with screen(200, 60, HELLO, ADDED, *steps(2), added()) as shown:
        assert "✓ they stay while 16 batches add up" in shown.line("Gradients")
        reason = "logits, log-softmax: 80 B an image, losses: 12 B"
        assert reason in shown.line("Activations")


def test_a_held_boundary_is_found_in_its_own_batch() -> None:
    step = added(times=3)
    curve = step.anatomy.curve
    for part in (1, 2, 3):
        for index, phase in enumerate(("load", "forward", "backward")):
            place = 3 * (part - 1) + index
            assert boundary(step, phase, curve[place].split, part) == place  # type: ignore[arg-type]
    assert boundary(step, "optimizer", curve[9].split, 3) == 9
    assert boundary(step, "load", curve[0].split, 2) is None  # it has no gradients there


async def test_the_held_batch_is_named() -> None:
    step = added()
    held = msgspec.structs.replace(
        sample(2048, batch_size=1024, phase="forward", split=step.anatomy.curve[7].split), part=3
    )
    async with screen(
        120, 40, HELLO, ADDED, step, *steps(1), Flow(paused=True, slow=False), held
    ) as shown:
        assert "after forward of batch 3/16" in shown.text


@pytest.mark.parametrize("times", [2, 16, 256])
@pytest.mark.parametrize("width", [40, 78, 118, 198])
def test_an_anatomy_of_many_batches_has_all_its_columns(times: int, width: int) -> None:
    parts = stretches(added(times=times).anatomy, width)
    assert sum(len(part.columns) for part in parts) == width
    assert parts[0].columns[0].first == 0
    names = [part.name for part in parts]
    if times == 256 or width == 40:
        assert names == [f"{times} batches", "optimizer", "zero"]


@pytest.mark.parametrize("width", [40, 78, 118])
def test_what_comes_in_rounds_is_one_part_and_the_peak_is_drawn(width: int) -> None:
    """As with LBFGS, which calls forward and backward many times within its step."""
    low, high = Split(P), Split(P, activations=P)
    rounds: tuple[Phase, ...] = ("optimizer", "forward", "backward")
    moments = [Moment("load", low), *(Moment(phase, low) for phase in 60 * rounds)]
    moments += [Moment("optimizer", low)]
    moments[77] = Moment(moments[77].phase, high)
    anatomy = Anatomy({}, high, Peak(2 * P, moments[77].phase, "", high), tuple(moments))
    parts = stretches(anatomy, width)
    assert [part.name for part in parts] == ["load", "61 rounds"]
    assert sum(len(part.columns) for part in parts) == width
    assert 77 in {column.place for part in parts for column in part.columns}


def test_without_room_for_names_one_batch_keeps_its_phases() -> None:
    split = Split(P)
    phases: tuple[Phase, ...] = ("load", "forward", "backward", "optimizer", "zero_grad")
    moments = tuple(Moment(phase, split) for phase in phases)
    anatomy = Anatomy({}, split, Peak(P, "load", "", split), moments)
    assert [part.phase for part in stretches(anatomy, 20)] == list(phases)
