"""Keys over a real program's recorded session, and how the screen is left."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from recorded_app import SIZES, Looking, program
from recorded_program import REPORT, WATCHED, Running
from scripted import painted, seen
from vramtop.protocol.messages import Note, OutOfMemory, Sample
from vramtop.protocol.split import Split
from vramtop.tui.app.program_app import ProgramApp
from vramtop.tui.words import units
from vramtop.tui.words.keys import (
    KEYS,
    LIST_KEYS,
    NEXT_KEY,
    OUTPUT_KEY,
    PROGRAM_KEYS,
    TYPE_KEY,
)
from vramtop.tui.worker.link import AwaitsInput, Parted

OUT_OF_MEMORY = OutOfMemory(
    phase="forward", operator="head (Linear)", split=Split(), detail="out of memory on cuda:0",
    wanted=32 << 20, free=2 << 20,
)  # fmt: skip
DEAD = Parted("the program has ended with exit code 1", over=True, trouble=True)


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


# Keys that mean something only after another one.
_AFTER = {"escape": "right", "right_square_bracket": "left_square_bracket"}


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_each_key_of_the_help_changes_what_is_seen_and_does_no_harm(
    size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a key saves the screen
    keys = (OUTPUT_KEY, TYPE_KEY, NEXT_KEY, *LIST_KEYS, *PROGRAM_KEYS)
    pressed = [name for key in keys for name in key.keys.split(",") if key.action != "quit"]
    assert {"m", "s", "f", "i", "n", "z", "y", "g", "t", "p", "r", "S"} < {*pressed}
    for name in [*pressed, "left", "up", "left_square_bracket"]:
        async with program(size, Running()) as pilot:
            app = pilot.app
            if name in _AFTER:
                await pilot.press(_AFTER[name])
            before = app.export_screenshot()
            await pilot.press(name)
            await pilot.pause()
            assert app.is_running
            assert app.export_screenshot() != before, name
            await pilot.press("escape")


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
        assert "this training" not in text
        assert re.search(rf"▸ +0 +{WATCHED.pid}", text)
        await pilot.press("enter", "escape")
        await pilot.pause()
        assert "Parameters" in seen(pilot.app)


@pytest.mark.parametrize("size", [*SIZES, (80, 12)])
async def test_a_program_that_died_of_an_out_of_memory_says_so_to_the_end(
    size: tuple[int, int],
) -> None:
    async with program(size, Running()) as pilot:
        text = await painted(pilot, OUT_OF_MEMORY, DEAD)
        wanted = " wanted 32.0 MiB, 2.00 MiB free" if size[1] > 12 else ""
        assert f"! out of memory · forward, head (Linear){wanted}" in text
        assert "FAILED" in text.splitlines()[0]


async def test_a_program_that_went_on_after_an_out_of_memory_has_ended_of_something_else() -> None:
    async with program(link=Running()) as pilot:
        went_on = Sample(step=999, phase="zero_grad", step_seconds=0.1, resident=None)
        text = await painted(pilot, OUT_OF_MEMORY, went_on, DEAD)
        assert "! the program has ended with exit code 1" in text


async def test_a_long_entry_of_the_log_is_begun_where_it_does_not_fit_whole() -> None:
    async with program((120, 40), Running()) as pilot:
        long = Note(" ".join(f"word{number}" for number in range(40)))
        lines = (await painted(pilot, long, Note("the last"))).splitlines()
        at = next(at for at, line in enumerate(lines) if line.startswith(" the last"))
        assert lines[at - 1].lstrip().partition("  ")[0].endswith("…")
        assert any(line.startswith(" word0 ") for line in lines[:at])
