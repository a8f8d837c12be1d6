"""Keys on the app: what reaches the worker, what is asked, and how a key is answered."""

from __future__ import annotations

import pytest
from made import BEGUN, HELLO, configured, sample
from scripted import Script, begin, seen
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import Input, Static
from vramtop.protocol.commands import Advance, GiveBack, Pause, SlowMotion
from vramtop.protocol.messages import Flow
from vramtop.protocol.split import Split
from vramtop.tui.app.lesson_app import VramtopApp
from vramtop.tui.screens.help import Help
from vramtop.tui.screens.prompt import Prompt
from vramtop.tui.words.keys import KEYS


async def test_each_key_asks_the_training_for_its_change(app: VramtopApp, script: Script) -> None:
    async with app.run_test() as pilot:
        await begin(pilot)
        await pilot.press("plus", "minus", "equals_sign", "right_square_bracket")
        await pilot.press("left_square_bracket", "o", "d")
    sizes = [change["batch_size"] for change in script.changes[:5]]
    assert sizes == [128, 64, 128, 140, 126]
    assert script.changes[5:] == [{"optimizer": "adamw"}, {"dataset": "cifar10"}]


async def test_keys_halt_the_training_slow_it_down_and_empty_its_cache(
    app: VramtopApp, script: Script
) -> None:
    kinds = (Pause, Advance, SlowMotion, GiveBack)
    async with app.run_test() as pilot:
        await begin(pilot)
        await pilot.press("space", "full_stop", "s", "c")
    assert tuple(type(command) for command in script.sent) == kinds


async def answer(pilot: Pilot[int], key: str, typed: str) -> None:
    """Ask a question by its key, and answer it."""
    await pilot.press(key)
    pilot.app.screen.query_one(Input).value = typed
    await pilot.press("enter")


@pytest.mark.parametrize(
    ("key", "typed", "change"),
    [
        ("b", "1,000", {"batch_size": 1000}),
        ("w", "256", {"hidden": 256}),
        ("l", "0.1", {"learning_rate": 0.1}),
        ("l", "", {"learning_rate": None}),
        ("v", "24MiB", {"budget": 24 * 2**20}),
        ("v", "", {"budget": None}),
    ],
)
async def test_a_typed_value_is_sent(
    app: VramtopApp, script: Script, key: str, typed: str, change: dict[str, object]
) -> None:
    async with app.run_test() as pilot:
        await begin(pilot)
        await answer(pilot, key, typed)
        assert script.changes == [change]
        assert not isinstance(app.screen, Prompt)


@pytest.mark.parametrize(
    ("key", "typed", "error"),
    [
        ("b", "6001", "1 to 6,000"),
        ("w", "none", "'none'"),
        ("l", "-1", "'-1'"),
        ("v", "[red]", "[red]"),
    ],
)
async def test_a_bad_value_is_refused_where_it_was_typed(
    app: VramtopApp, script: Script, key: str, typed: str, error: str
) -> None:
    async with app.run_test() as pilot:
        await begin(pilot)
        await answer(pilot, key, typed)
        await pilot.pause()
        assert isinstance(app.screen, Prompt)
        assert error in str(app.screen.query_one("#hint", Static).render())
        await pilot.press("escape")
        assert script.changes == []


async def test_what_is_typed_right_after_a_key_is_the_answer(
    app: VramtopApp, script: Script
) -> None:
    async with app.run_test() as pilot:
        await begin(pilot)
        for key in ("l", "5", "e", "minus", "3", "enter"):
            app.post_message(Key(key, "-" if key == "minus" else key if len(key) == 1 else None))
        await pilot.pause()
        await pilot.pause()
        assert script.changes == [{"learning_rate": 0.005}]


async def test_a_change_while_a_step_is_held_waits_for_the_next_step(app: VramtopApp) -> None:
    held = sample(704, phase="forward", split=Split(parameters=2**20))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await begin(pilot, *BEGUN, Flow(True, False), held)
        await pilot.press("plus")
        await pilot.pause()
        assert "batch 64 → 128 from the next step on" in seen(app)


async def test_only_the_latest_answer_to_a_key_stands(app: VramtopApp) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await begin(pilot, HELLO, configured(batch_size=6000))
        await pilot.press("plus", "plus", "plus")
        await pilot.pause()
        assert seen(app).count("a batch of 6,000 is all of the data") == 1


async def test_keys_wait_for_a_worker_that_is_still_starting(app: VramtopApp) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("plus")
        await pilot.pause()
        assert "the worker is still starting" in seen(app)


async def test_all_commands_are_in_the_palette(app: VramtopApp) -> None:
    async with app.run_test() as pilot:
        await pilot.pause()
        titles = [command.title for command in app.get_system_commands(app.screen)]
        assert "Batch size: double" in titles
        assert titles == [key.name for key in KEYS]
        assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("key", ["b", "question_mark"])
async def test_a_question_leaves_the_screen_behind_it_where_it_was(
    app: VramtopApp, key: str
) -> None:
    async with app.run_test(size=(80, 60)) as pilot:
        await begin(pilot)
        first, *_ = seen(app).splitlines()
        await pilot.press(key)
        await pilot.pause()
        assert seen(app).splitlines()[0] == first


async def test_over_the_help_the_palette_asks_for_a_setting_and_a_key_does_not(
    app: VramtopApp,
) -> None:
    async with app.run_test() as pilot:
        await begin(pilot)
        await pilot.press("question_mark", "b")
        await pilot.pause()
        assert isinstance(app.screen, Help)
        commands = {command.title: command for command in app.get_system_commands(app.screen)}
        commands["Memory budget: type"].callback()
        await pilot.pause()
        assert isinstance(app.screen, Prompt)


async def test_over_a_prompt_a_letter_is_typed_and_opens_no_other(app: VramtopApp) -> None:
    async with app.run_test() as pilot:
        await begin(pilot)
        await pilot.press("v", "b")
        assert app.screen.query_one(Input).value == "b"
