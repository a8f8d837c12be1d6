"""The screen on a real program's recorded session: figures, and its output."""

from __future__ import annotations

import re

import msgspec
import pytest
from msgspec.structs import replace
from recorded_app import SIZES, program
from recorded_program import LAST, MESSAGES, REPORT, WATCHED, Running
from scripted import painted, seen
from vramtop.protocol.messages import Measured, Note, Program
from vramtop.protocol.observed.record import Kind
from vramtop.protocol.split import ALL_CATEGORIES, Split
from vramtop.tui.widgets.gpus.device_usage import usage
from vramtop.tui.words import units
from vramtop.tui.worker.link import Modules, WorkerLine


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
        assert re.search(r"steps/s  step +[\d,]+  watching 0\.58 of 35 s", first)
        pilot.app.receive(replace(WATCHED, rank=1, world_size=4, seconds=60.0, spent=15.0))  # type: ignore[attr-defined]
        text = await painted(pilot)
        assert "rank 1 of 4" in text
        assert "watching         25 %" in text


@pytest.mark.parametrize(("kind", "name"), [("inference", "calls"), ("training", "steps")])
async def test_what_nobody_counts_is_not_called_a_step(kind: Kind, name: str) -> None:
    async with program() as pilot:
        text = await painted(pilot, replace(WATCHED, kind=kind, uncounted=7))
        assert re.search(rf"watched {name} +7 ", text)
        assert "steps/s" not in text.splitlines()[0]


async def test_which_of_several_devices_is_shown_stands_in_the_first_line() -> None:
    for size in (*SIZES, (80, 12)):
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
