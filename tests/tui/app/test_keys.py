"""Keys on the app: what reaches the worker, what is asked, and how a key is answered."""

from __future__ import annotations

import pytest
from made import BEGUN, HELLO, configured, sample
from scripted import Script, begin, seen
from textual.events import Key
from textual.widgets import Input, Static
from vramtop.protocol.commands import Advance, GiveBack, Pause, SlowMotion
from vramtop.protocol.messages import Flow
from vramtop.protocol.split import Split
from vramtop.tui.app.lesson_app import VramtopApp
from vramtop.tui.screens.help import Help
from vramtop.tui.screens.prompt import Prompt
from vramtop.tui.words.keys import KEYS


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("plus", {"batch_size": 128}),
        ("equals_sign", {"batch_size": 128}),
        ("minus", {"batch_size": 32}),
        ("right_square_bracket", {"batch_size": 70}),
        ("left_square_bracket", {"batch_size": 58}),
        ("o", {"optimizer": "adamw"}),
        ("d", {"dataset": "cifar10"}),
    ],
)
async def test_a_key_changes_the_settings(
    app: VramtopApp, script: Script, key: str, change: dict[str, object]
) -> None:
    async with app.run_test() as pilot:
        await begin(pilot)
        await pilot.press(key)
        assert script.changes == [change]


async def test_flow_keys(app: VramtopApp, script: Script) -> None:
    async with app.run_test() as pilot:
        await begin(pilot)
        await pilot.press("space", "space", "full_stop", "s", "s", "c")
    assert script.sent == [
        Pause(1, True),
        Pause(2, False),
        Advance(3),
        SlowMotion(4, True),
        SlowMotion(5, False),
        GiveBack(6),
    ]


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
        await pilot.press(key)
        app.screen.query_one(Input).value = typed
        await pilot.press("enter")
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
async def test_a_bad_value_is_told_where_it_was_typed(
    app: VramtopApp, script: Script, key: str, typed: str, error: str
) -> None:
    async with app.run_test() as pilot:
        await begin(pilot)
        await pilot.press(key)
        app.screen.query_one(Input).value = typed
        await pilot.press("enter")
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


async def test_a_change_while_a_step_is_held_is_told_to_come(app: VramtopApp) -> None:
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


async def test_a_setting_can_be_asked_for_from_the_palette_over_the_help(
    app: VramtopApp,
) -> None:
    async with app.run_test() as pilot:
        await begin(pilot)
        await pilot.press("question_mark")
        commands = {command.title: command for command in app.get_system_commands(app.screen)}
        commands["Memory budget: type"].callback()
        await pilot.pause()
        assert isinstance(app.screen, Prompt)


async def test_over_the_help_a_key_asks_nothing(app: VramtopApp) -> None:
    async with app.run_test() as pilot:
        await begin(pilot)
        await pilot.press("question_mark", "b")
        await pilot.pause()
        assert isinstance(app.screen, Help)


async def test_over_a_prompt_a_letter_is_typed_and_opens_no_other(app: VramtopApp) -> None:
    async with app.run_test() as pilot:
        await begin(pilot)
        await pilot.press("v", "b")
        assert app.screen.query_one(Input).value == "b"
