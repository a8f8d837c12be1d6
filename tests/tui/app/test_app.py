"""The app on a scripted worker: what it shows, and how it ends."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from made import BEGUN, HELLO, configured, measured, out_of_memory, sample
from msgspec.structs import replace
from scripted import Script, begin, seen
from vramtop.protocol.commands import Pause
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import Failed, Flow
from vramtop.protocol.split import Split
from vramtop.tui.app.lesson_app import VramtopApp
from vramtop.tui.screens.help import Help
from vramtop.tui.widgets.headlines import headline
from vramtop.tui.widgets.lines import NewsLine
from vramtop.tui.worker.link import WorkerGone


async def test_before_the_worker_speaks_it_is_starting(app: VramtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "starting the worker…" in seen(app)


async def test_while_the_monitor_is_suspended_the_training_rests(
    app: VramtopApp, script: Script
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot)
        app.app_suspend_signal.publish(app)  # as ctrl-z does, before the process stops
        assert script.sent[-1:] == [Pause(script.sent[-1].command, True)]
        app.app_resume_signal.publish(app)
        await pilot.pause()
        assert script.sent[-1] == Pause(script.sent[-1].command, False)


async def test_an_app_that_ends_while_its_worker_starts_ends_without_an_error(
    app: VramtopApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = app.training.start

    async def late() -> object:
        started = await start()
        with suppress(asyncio.CancelledError):
            while app.is_running:
                await asyncio.sleep(0)
        return started

    monkeypatch.setattr(app.training, "start", late)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        app.exit()
    assert app.return_code == 0


async def test_a_training_that_was_paused_stays_so_when_a_suspended_monitor_goes_on(
    app: VramtopApp, script: Script
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot)
        await pilot.press("space")
        app.receive(Flow(True, False))
        sent = list(script.sent)
        app.app_suspend_signal.publish(app)
        app.app_resume_signal.publish(app)
        await pilot.pause()
        assert script.sent == sent


@pytest.mark.parametrize("size", [(60, 18), (80, 24), (120, 40), (200, 60)])
async def test_the_essentials_fit(app: VramtopApp, size: tuple[int, int]) -> None:
    async with app.run_test(size=size) as pilot:
        await begin(pilot)
        screen = seen(app)
        for text in ("MNIST", "batch 64", "adam", "2.14 MiB", "✓", "+16 B", "Total"):
            assert text in screen
        for name in ("Parameters", "Gradients", "Optimizer state"):
            assert name in screen
        for name in ("Batch data", "Activations", "Temporaries"):
            assert name in screen


async def test_a_large_screen_has_all(app: VramtopApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await begin(pilot)
        for text in ("samples/s", "log", "▸", "targets are int64: 8 B an image", "backward"):
            assert text in seen(app)


async def test_without_colours_the_glyphs_tell_the_categories_apart(
    monkeypatch: pytest.MonkeyPatch, script: Script
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    app = VramtopApp(Settings(), script.start)
    async with app.run_test(size=(120, 40)) as pilot:
        await begin(pilot)
        for name, glyph in (("Parameters", "█"), ("Gradients", "▚"), ("Batch data", "░")):
            assert f"{glyph} {name}" in seen(app)
        rows = app.screen._compositor.render_strips()
        styles = [segment.style for row in rows for segment in row if segment.style]
        colors = [color for style in styles for color in (style.color, style.bgcolor) if color]
        assert colors
        assert all(len(set(color.get_truecolor())) == 1 for color in colors)


async def test_z_changes_the_scale_and_says_so(app: VramtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot)
        assert "full bar 4.00 MiB (power of two)" in seen(app)
        await pilot.press("z")
        await pilot.pause()
        assert "full bar 2.14 MiB (peak)" in seen(app)


async def test_help_opens_and_closes(app: VramtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("question_mark")
        assert isinstance(app.screen, Help)
        await pilot.press("escape")
        assert not isinstance(app.screen, Help)


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
async def test_leaving_ends_the_worker(app: VramtopApp, script: Script, key: str) -> None:
    async with app.run_test() as pilot:
        await begin(pilot)
        await pilot.press(key)
    assert app.return_code == 0
    assert script.closed


@pytest.mark.parametrize("key", ["b", "question_mark"])
async def test_leaving_works_from_a_prompt_and_from_help(
    app: VramtopApp, script: Script, key: str
) -> None:
    async with app.run_test() as pilot:
        await begin(pilot)
        await pilot.press(key)
        assert len(app.screen_stack) == 2
        await pilot.press("ctrl+c")
    assert app.return_code == 0
    assert script.closed


async def test_bad_usage_leaves_with_its_line(app: VramtopApp) -> None:
    async with app.run_test() as pilot:
        await begin(pilot, HELLO, Failed("no such device", usage=True))
    assert (app.return_code, app.usage_error) == (2, "no such device")


async def test_a_worker_that_is_gone_leaves_its_numbers_and_is_asked_for_nothing(
    app: VramtopApp, script: Script
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot, *BEGUN, WorkerGone(-9, ("Killed",)))
        assert "SIGKILL" in seen(app)
        assert "Killed" in seen(app)
        assert "2.14 MiB" in seen(app)
        await pilot.press("plus", "space")
        assert "2.14 MiB" in seen(app)
    assert script.sent == []


async def test_out_of_memory_is_seen(app: VramtopApp) -> None:
    event = out_of_memory()
    async with app.run_test(size=(120, 40)) as pilot:
        await begin(pilot, *BEGUN, event, configured(), measured())
        assert "batch 8,192 out of memory, back to 64 · forward, relu" in seen(app)


async def test_a_held_boundary_is_shown_at_once(app: VramtopApp) -> None:
    held = sample(704, phase="forward", split=Split(parameters=2**20))
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot, *BEGUN, Flow(True, False), held)
        assert "held 1.00 MiB after forward" in seen(app)
        assert "PAUSED" in seen(app)


async def test_what_is_heard_while_the_app_ends_is_no_trouble(app: VramtopApp) -> None:
    async with app.run_test() as pilot:
        await begin(pilot)
    app.receive(Flow(paused=True, slow=False))
    assert app.state.paused


async def test_a_held_step_on_an_epochs_last_few_images_says_so(app: VramtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        short = sample(6000, batch_size=48, phase="load", split=Split(4, 0, 0, 2))
        await begin(pilot, *BEGUN, Flow(paused=True, slow=False), short)
        assert "held 6 B after load · 48 images" in seen(app)


async def test_news_breaks_between_words(app: VramtopApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await begin(pilot)
        line = app.query_one(NewsLine)
        news = Failed("1,073 would have fitted (predicted), were there no others", usage=False)
        words = headline(news).text
        for width in range(24, 60):
            shown = replace(line.pick(app.state), news=news)
            drawn = line.draw(shown, width, 4).plain.split("\n")
            assert [word for row in drawn for word in row.split()] == ["!", *words.split()]
            assert max(map(len, drawn)) <= width
