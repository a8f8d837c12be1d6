"""Screens on top of each other: none blocks the app, and none closes another."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from scripted import Script, begin
from textual.command import CommandInput
from textual.events import Key, Resize
from textual.geometry import Size
from textual.screen import Screen
from textual.widgets import Input
from vramtop.tui.app.lesson_app import VramtopApp
from vramtop.tui.screens.gpus import TrainingGpus
from vramtop.tui.screens.help import Help
from vramtop.tui.screens.image import ImageScreen
from vramtop.tui.screens.prompt import Prompt
from vramtop.tui.widgets.stacked_screen import PaletteScreen

SECONDS = 10


def kinds(app: VramtopApp) -> list[type[Screen[Any]]]:
    return [type(screen) for screen in app.screen_stack[1:]]


def press_at_once(app: VramtopApp, *keys: str) -> None:
    """Press keys before any of them is handled, as a paste or a fast hand does."""
    for key in keys:
        app.post_message(Key(key, key if len(key) == 1 else None))


async def test_two_sizes_under_way_at_once_do_not_follow_each_other_without_end(
    app: VramtopApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    layouts: list[object] = []
    lay_out = Screen._refresh_layout

    def counted(self: Screen[Any], *arguments: Any, **options: Any) -> None:
        layouts.append(self)
        assert len(layouts) < 100
        lay_out(self, *arguments, **options)

    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot)
        await pilot.press("b")
        monkeypatch.setattr(Screen, "_refresh_layout", counted)
        under = app.screen_stack[0]
        for size in (Size(100, 30), Size(60, 20)):
            under.post_message(Resize(size, size))
            under.call_later(lambda: None)  # else Textual makes one of them
        await pilot.pause()
        assert under.outer_size == app.size


async def test_enter_twice_answers_once_and_leaves_the_screen_below(
    app: VramtopApp, script: Script
) -> None:
    async with app.run_test() as pilot:
        await begin(pilot)
        await pilot.press("i", "a")
        answer = app.screen.query_one(Input)
        for _ in range(2):
            app.screen.post_message(Input.Submitted(answer, "3"))
        await pilot.pause()
        assert kinds(app) == [ImageScreen]
        assert script.changes == [{"accumulation": 3}]


async def test_an_answer_that_comes_after_the_palette_was_opened_leaves_the_palette(
    app: VramtopApp,
) -> None:
    async with app.run_test() as pilot:
        await begin(pilot)
        await pilot.press("a")
        prompt = app.screen
        await pilot.press("ctrl+p")
        prompt.post_message(Input.Submitted(prompt.query_one(Input), "3"))
        prompt.dismiss()
        await pilot.pause()
        assert kinds(app) == [Prompt, PaletteScreen]


async def test_keys_pressed_while_a_screen_opens_are_for_it_in_their_order(
    app: VramtopApp, script: Script
) -> None:
    async with app.run_test() as pilot:
        await begin(pilot)
        press_at_once(app, "b", "end", *["backspace"] * 2, "5", "1", "2", "enter")
        await pilot.pause()
        assert script.changes == [{"batch_size": 512}]


async def test_nothing_waits_for_a_screen_that_does_not_stand(
    app: VramtopApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands = asyncio.Event()

    async def late(self: Help) -> None:
        del self
        await stands.wait()

    async with app.run_test() as pilot:
        await begin(pilot)
        monkeypatch.setattr(Help, "on_mount", late, raising=False)
        handled = asyncio.Event()
        app.post_message(Key("question_mark", "?"))
        app.post_message(Key("z", "z"))
        app.call_later(handled.set)
        await asyncio.wait_for(handled.wait(), SECONDS)
        assert kinds(app) == [Help]
        stands.set()


async def test_a_screen_that_is_open_already_is_gone_back_to(app: VramtopApp) -> None:
    async with app.run_test() as pilot:
        await begin(pilot)
        await pilot.press("i", "g", "question_mark", "escape")
        assert kinds(app) == [ImageScreen, TrainingGpus]
        app.action_image()
        await pilot.pause()
        assert kinds(app) == [ImageScreen]


async def test_the_palette_opens_again_at_once(app: VramtopApp) -> None:
    async with app.run_test() as pilot:
        await begin(pilot)
        press_at_once(app, "ctrl+p", "ctrl+p", "escape")
        await pilot.pause()
        assert kinds(app) == []
        await pilot.press("ctrl+p")
        app.screen.dismiss()
        app.action_command_palette()
        await pilot.pause()
        assert kinds(app) == [PaletteScreen]


async def test_what_is_typed_into_a_palette_that_has_left_is_not_searched_for(
    app: VramtopApp,
) -> None:
    async with app.run_test() as pilot:
        await begin(pilot)
        await pilot.press("ctrl+p")
        palette = app.screen
        typed = palette.query_one(CommandInput)
        palette.dismiss()
        for _ in range(3):
            palette.post_message(Input.Changed(typed, "optimizer"))
        await pilot.pause()
        assert kinds(app) == []
        await pilot.pause()  # a search of it would fail, and this test with it


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (200, 2)])
async def test_each_screen_stands_in_however_small_a_terminal(
    app: VramtopApp, size: tuple[int, int]
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot)
        for key in ("b", "question_mark", "i", "g", "ctrl+p"):
            await pilot.press(key)
            await pilot.resize_terminal(*size)
            await pilot.resize_terminal(80, 24)
            await pilot.press("escape")
        assert kinds(app) == []
