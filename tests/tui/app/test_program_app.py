"""The screen on a real program's recorded session: figures, keys, its end."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from msgspec.structs import replace
from recorded_program import LAST, MESSAGES, REPORT, WATCHED, Running
from scripted import painted, seen
from textual.pilot import Pilot
from vramtop.protocol.messages import Measured, Note, Program
from vramtop.protocol.observed.record import Kind
from vramtop.protocol.split import ALL_CATEGORIES, Split
from vramtop.tui.app.program_app import ProgramApp
from vramtop.tui.programs.link import ProgramLink
from vramtop.tui.programs.shown import Shown
from vramtop.tui.widgets.gpus.device_usage import usage
from vramtop.tui.words import units
from vramtop.tui.words.keys import KEYS, PROGRAM_KEYS
from vramtop.tui.worker.link import AwaitsInput, Modules, Parted, WorkerLine

SIZES = [(80, 24), (120, 40), (200, 60)]


class Looking(ProgramLink):
    """A link that looks into nothing."""

    async def start(self) -> Looking:
        return self

    def ended(self, shown: Shown, reason: str) -> None:
        raise AssertionError(f"nothing was shown that could end: {shown} {reason}")


@asynccontextmanager
async def program(
    size: tuple[int, int] = (120, 40), link: ProgramLink | None = None
) -> AsyncIterator[Pilot[int]]:
    """The app once it has heard the recorded session."""
    async with ProgramApp(link or Looking()).run_test(size=size) as pilot:
        await pilot.pause()
        await painted(pilot, *MESSAGES)
        yield pilot


def column(unit: str, size: int) -> str:
    text = f"{size / {'KiB': 2**10, 'MiB': 2**20}[unit]:,.1f}"
    return "<0.1" if size and text == "0.0" else text


@pytest.mark.parametrize("size", SIZES)
async def test_rows_show_the_bytes_of_the_report(size: tuple[int, int]) -> None:
    async with program(size) as pilot:
        text = seen(pilot.app)
        (unit,) = re.findall(r"(\w+) a step", text)
        names = (
            "Parameters",
            "Gradients",
            "Optimizer",
            "Batch",
            "Activations",
            "Temporaries",
            "Other",
        )
        for category, name in zip(ALL_CATEGORIES, names, strict=True):
            row = next(line for line in text.splitlines() if re.match(f" . {name}", line))
            here = column(unit, REPORT.peak.split.of(category))
            most = column(unit, REPORT.high_water.of(category))
            assert re.search(rf"{re.escape(here)} +\S+ +{re.escape(most)} ", row + " "), row
        assert f"peak {units.size(REPORT.peak.bytes)} in {REPORT.peak.phase}, at" in text


async def test_all_that_is_shown_adds_up_to_the_report() -> None:
    async with program() as pilot:
        state = pilot.app.state  # type: ignore[attr-defined]
        anatomy, tensors = state.measured.anatomy, state.measured.tensors
        assert anatomy.peak.split.total == anatomy.peak.bytes == REPORT.peak.bytes
        assert [moment.split for moment in anatomy.curve] == [each.split for each in REPORT.curve]
        assert max(moment.split.total for moment in anatomy.curve) == REPORT.peak.bytes
        for category in ALL_CATEGORIES:
            listed = sum(facts.bytes for facts in tensors[category].largest)
            assert listed + tensors[category].others_bytes == REPORT.high_water.of(category)
        for line in state.categories:
            if line.expected is not None:
                assert line.expected.bytes + line.difference.bytes == line.high_water
        assert (
            sum(layer.parameters for layer in state.modules.layers) == anatomy.high_water.parameters
        )
        used = usage(state)
        assert used is not None
        assert sum(part.bytes for part in used.parts) == used.whole == state.gpu.total
        end = next(part.bytes for part in used.parts if part.holder == "step")
        assert end == anatomy.curve[-1].split.total


async def test_what_is_expected_is_reported_by_elements_and_by_reasons() -> None:
    async with program() as pilot:
        facts = {line.category: line for line in pilot.app.state.categories}  # type: ignore[attr-defined]
        assert facts["parameters"].expected.formula == "3,323,136 × 4 B"
        assert facts["parameters"].difference.reasons == ("32,768 of them not trained",)
        assert facts["gradients"].expected.formula == "3,290,368 × 4 B"
        assert facts["optimizer_state"].expected.formula == "AdamW 2 × 4 B × 3,290,368"
        assert facts["optimizer_state"].difference.bytes == 0
        reasons = facts["batch_data"].difference.reasons
        assert reasons[0] == "also made in load, the batch before is held too"
        assert facts["activations"].expected is None
        rows = units.size(REPORT.high_water.activations // 16)
        assert f"in forward, ≈{rows} a row (est.)" in seen(pilot.app)
        assert facts["other"].difference.bytes == REPORT.high_water.of("other") > 0
        assert not any(line.unexplained for line in facts.values())


async def test_the_first_line_says_which_program_and_what_watching_costs() -> None:
    async with program((200, 60)) as pilot:
        first, *_ = seen(pilot.app).splitlines()
        assert f"train.py  pid {WATCHED.pid}  training  16×128 int64  cuda:0" in first
        assert re.search(r"steps/s  step +[\d,]+  watching costs 0\.58 of 35 s", first)
        pilot.app.receive(replace(WATCHED, rank=1, world_size=4, seconds=60.0, spent=15.0))  # type: ignore[attr-defined]
        text = await painted(pilot)
        assert "rank 1 of 4" in text
        assert "watching costs         25 %" in text


@pytest.mark.parametrize(("kind", "name"), [("inference", "calls"), ("training", "steps")])
async def test_what_nobody_counts_is_not_called_a_step(kind: Kind, name: str) -> None:
    async with program() as pilot:
        text = await painted(pilot, replace(WATCHED, kind=kind, uncounted=7))
        assert re.search(rf"watched {name} +7 ", text)
        assert "steps/s" not in text.splitlines()[0]


async def test_which_of_several_devices_is_shown_stands_in_the_first_line() -> None:
    for size in SIZES:
        async with program(size) as pilot:
            assert "next device" not in seen(pilot.app)
            devices = replace(WATCHED, devices=("cuda:0", "cuda:1"))
            text = await painted(pilot, devices)
            assert "cuda:0 of 2" in text.splitlines()[0]
            assert "n next device" in text.splitlines()[-1]
            # Nothing of one device stands where another is shown.
            text = await painted(pilot, replace(devices, device="cuda:1"))
            assert "cuda:1 of 2" in text.splitlines()[0]
            assert "101,770" not in text
            assert pilot.app.state.measured is None  # type: ignore[attr-defined]


async def test_thousands_of_moments_keep_their_peak_in_few_columns() -> None:
    low, high = Split(parameters=1000), Split(parameters=1000, activations=99_000)
    moment = REPORT.curve[0]
    curve = [LAST.anatomy.curve[0]] * 9_000
    curve[6_543] = replace(curve[0], split=high)
    curve = [replace(each, split=low) if each.split is not high else each for each in curve]
    peak = replace(LAST.anatomy.peak, bytes=high.total, split=high, phase=moment.phase)
    anatomy = replace(LAST.anatomy, curve=tuple(curve), peak=peak, high_water=high)
    async with program((80, 24)) as pilot:
        text = await painted(pilot, replace(LAST, anatomy=anatomy, tensors={}, differences=()))
        assert "▼ peak" in text
        mark = next(line for line in text.splitlines() if "▼" in line).index("▼")
        assert "▞" in {line[mark] for line in text.splitlines()[16:]}


async def test_a_moment_that_is_looked_at_stays_while_steps_go_on() -> None:
    async with program() as pilot:
        await pilot.press("left", "left")
        before = seen(pilot.app)
        assert "moment " in before
        app = pilot.app
        changed = replace(LAST, anatomy=replace(LAST.anatomy, curve=LAST.anatomy.curve[:9]))
        assert await painted(pilot, changed) == before
        await pilot.press("escape")
        app.receive(changed)  # type: ignore[attr-defined]
        assert app.state.measured is changed  # type: ignore[attr-defined]


async def test_other_is_chosen_like_every_category() -> None:
    async with program((200, 60)) as pilot:
        await pilot.press("up")
        text = await painted(pilot)
        assert "older than the step, and nobody's" in text
        assert units.difference(REPORT.high_water.of("other")) in text


# ---- keys ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES[:2])
async def test_what_makes_no_sense_for_a_program_is_not_offered(size: tuple[int, int]) -> None:
    async with program(size) as pilot:
        lesson = {key.name for key in KEYS} - {key.name for key in PROGRAM_KEYS}
        titles = {each.title for each in pilot.app.get_system_commands(pilot.app.screen)}
        assert not lesson & titles
        assert "Output: full size" not in titles
        last = seen(pilot.app).splitlines()[-1]
        assert not re.search(r"space|batch|optimizer|dataset|output", last)
        await pilot.press("question_mark")
        await pilot.pause()
        text = seen(pilot.app)
        assert not re.search(r"pause|batch size|optimizer's? next|image|lesson|accuracy", text)


async def test_leaving_a_program_that_ran_already_takes_one_key() -> None:
    async with program() as pilot:
        await pilot.press("q")
        await pilot.pause()
        assert not pilot.app.is_running
    assert pilot.app.return_code == 0


async def test_a_program_that_was_started_is_ended_by_the_second_q_and_killed_by_the_third() -> (
    None
):
    link = Running()
    async with program(link=link) as pilot:
        await pilot.press("q")
        await pilot.pause()
        assert "the program still runs: q again ends it" in seen(pilot.app)
        await pilot.press("q", "q")
        assert link.sent == [15, 9]
        link.code = 137
        pilot.app.receive(
            Parted("the program has ended with exit code 137", over=True, trouble=True)
        )  # type: ignore[attr-defined]
        await pilot.pause()
    assert pilot.app.return_code == 137


async def test_ctrl_c_interrupts_a_program_that_was_started_and_leaves() -> None:
    link = Running()
    async with program(link=link) as pilot:
        await pilot.press("ctrl+c")
        await pilot.pause()
        assert not pilot.app.is_running
    assert (link.sent, pilot.app.return_code) == ([2], 130)


@pytest.mark.parametrize("size", [*SIZES, (80, 12)])
async def test_a_program_that_waits_for_input_gets_a_typed_line(size: tuple[int, int]) -> None:
    link, typed = Running(), list[str]()
    link.type_line = lambda text: not typed.append(text)  # type: ignore[method-assign,func-returns-value]
    async with program(size, link) as pilot:
        text = await painted(pilot, AwaitsInput(waits=True))
        assert "the program waits for input: i types a line to it" in text
        await pilot.press("i")
        await pilot.pause()
        await pilot.press("y", "e", "s", "enter")
        await pilot.pause()
        assert typed == ["yes"]
        text = await painted(pilot, AwaitsInput(waits=False))
        assert "waits for input" not in text


async def test_after_its_end_the_last_split_stays_and_q_leaves_with_its_exit_code() -> None:
    link = Running()
    async with program(link=link) as pilot:
        link.code = 3
        text = await painted(
            pilot, Parted("the program has ended with exit code 3", over=True, trouble=True)
        )
        assert "! the program has ended with exit code 3" in text
        assert f"peak {units.size(REPORT.peak.bytes)}" in text
        assert "FAILED" in text.splitlines()[0]
        await pilot.press("q")
        await pilot.pause()
    assert pilot.app.return_code == 3


async def test_where_nothing_can_be_watched_the_app_ends_at_once_and_says_why() -> None:
    app = ProgramApp(Looking())
    async with app.run_test() as pilot:
        await pilot.pause()
        app.receive(Parted("there is no process 7", over=False, trouble=True))
        await asyncio.sleep(0)
        await pilot.pause()
    assert (app.refusal, app.return_code) == ("there is no process 7", 1)


async def test_an_observer_that_has_removed_itself_leaves_the_last_split() -> None:
    async with program() as pilot:
        text = await painted(
            pilot,
            Parted(
                "the observer has removed itself: KeyError: 7; the program goes on",
                over=False, trouble=True,
            ),
        )  # fmt: skip
        assert "! the observer has removed itself: KeyError: 7; the program goes on" in text
        assert "UNWATCHED" in text
        assert f"peak {units.size(REPORT.peak.bytes)}" in text


async def test_where_there_is_one_program_there_is_no_next() -> None:
    async with program(link=Running()) as pilot:
        await pilot.press("n")
        assert "there is no other device or rank to show" in await painted(pilot)


# ---- its output ---------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES[:2])
async def test_the_output_is_in_the_log_and_with_a_key_full_size(size: tuple[int, int]) -> None:
    async with program(size, Running()) as pilot:
        text = await painted(pilot, *(WorkerLine(f"line {number}") for number in range(100)))
        assert "line 99" in text
        assert "line 90" not in text
        await pilot.press("f")
        text = await painted(pilot)
        assert all(f"line {number}" in text for number in range(100 - size[1] + 8, 100))
        await pilot.press("f")
        assert "Parameters" in await painted(pilot)


async def test_a_line_that_is_written_again_takes_the_place_of_the_one_before() -> None:
    async with program(link=Running()) as pilot:
        text = await painted(
            pilot,
            WorkerLine("epoch 1  5%"),
            Note("a note"),
            WorkerLine("epoch 1 10%", again=True),
            WorkerLine("epoch 1 15%", again=True),
        )
        assert "epoch 1 15%" in text
        assert "10%" not in text


async def test_another_program_of_the_same_run_begins_with_nothing() -> None:
    async with program() as pilot:
        text = await painted(pilot, replace(WATCHED, pid=4712, program="other.py", kind=None))
        assert "other.py  pid 4712" in text
        assert "waiting for a step to measure…" in text
        assert not pilot.app.state.history.points  # type: ignore[attr-defined]


def test_the_session_has_all_that_a_program_says() -> None:
    kinds = {type(message) for message in MESSAGES}
    assert {Program, Measured, Modules, WorkerLine, Note} <= kinds
    assert msgspec.structs.asdict(REPORT.high_water).keys() == {*ALL_CATEGORIES}


async def test_escape_stays_once_nothing_is_left_to_leave() -> None:
    async with program() as pilot:
        await pilot.press("escape", "escape")
        await pilot.pause()
        assert pilot.app.is_running


async def test_over_a_program_the_gpus_offer_no_move() -> None:
    async with program() as pilot:
        await pilot.press("g")
        text = await painted(pilot)
        assert "move the training" not in text
        assert "this session's trainer" not in text
        assert re.search(rf"▸ +0 +{WATCHED.pid}", text)
        await pilot.press("enter", "escape")
        await pilot.pause()
        assert "Parameters" in seen(pilot.app)
