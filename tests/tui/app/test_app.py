from __future__ import annotations

import pytest
from made import HELLO, configured, measured, sample
from scripted import BEGUN, Script, begin, seen
from textual.events import Key
from textual.widgets import Input, Static
from vramtop.protocol.commands import Advance, GiveBack, Pause, SlowMotion
from vramtop.protocol.lesson.messages import LessonOutOfMemory
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import Answer, Failed, Flow
from vramtop.protocol.split import Split
from vramtop.tui.app.lesson_app import VramtopApp
from vramtop.tui.screens.help import Help
from vramtop.tui.screens.prompt import Prompt
from vramtop.tui.state.state import News
from vramtop.tui.widgets.lines import NewsLine
from vramtop.tui.words.keys import KEYS
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

    async def start() -> Script:
        return script

    app = VramtopApp(Settings(), start)
    async with app.run_test(size=(120, 40)) as pilot:
        await begin(pilot)
        for name, glyph in (("Parameters", "█"), ("Gradients", "▚"), ("Batch data", "░")):
            assert f"{glyph} {name}" in seen(app)
        rows = app.screen._compositor.render_strips()
        styles = [segment.style for row in rows for segment in row if segment.style]
        colors = [color for style in styles for color in (style.color, style.bgcolor) if color]
        assert colors
        assert all(len(set(color.get_truecolor())) == 1 for color in colors)


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


async def test_quick_presses_add_up_until_they_are_answered(
    app: VramtopApp, script: Script
) -> None:
    async with app.run_test() as pilot:
        await begin(pilot)
        await pilot.press("plus", "plus", "plus")
        assert [change["batch_size"] for change in script.changes] == [128, 256, 512]
        app.receive(Answer(3, "no"))
        await pilot.press("plus")
        assert script.changes[-1] == {"batch_size": 128}


async def test_a_batch_is_never_larger_than_the_data(app: VramtopApp, script: Script) -> None:
    async with app.run_test() as pilot:
        await begin(pilot, HELLO, configured(batch_size=5000))
        await pilot.press("plus", "plus")
    assert script.changes == [{"batch_size": 6000}]


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


async def test_leaving_works_from_a_prompt_and_from_help(app: VramtopApp, script: Script) -> None:
    async with app.run_test() as pilot:
        await begin(pilot)
        await pilot.press("b", "ctrl+c")
    assert script.closed


async def test_bad_usage_leaves_with_its_line(app: VramtopApp) -> None:
    async with app.run_test() as pilot:
        await begin(pilot, HELLO, Failed("no such device", usage=True))
    assert (app.return_code, app.usage_error) == (2, "no such device")


async def test_a_worker_that_is_gone_leaves_its_numbers(app: VramtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot, *BEGUN, WorkerGone(-9, ("Killed",)))
        assert "SIGKILL" in seen(app)
        assert "Killed" in seen(app)
        assert "2.14 MiB" in seen(app)
        await pilot.press("plus", "space")


async def test_out_of_memory_is_seen(app: VramtopApp) -> None:
    event = LessonOutOfMemory(
        batch_size=8192,
        needed=43_200_000,
        limit=24 * 2**20,
        phase="forward",
        operator="aten.relu.default",
        split=Split(),
        restored=64,
        detail="no",
    )
    async with app.run_test(size=(120, 40)) as pilot:
        await begin(pilot, *BEGUN, event, configured(), measured())
        assert "batch 8,192 out of memory, back to 64 · forward, relu" in seen(app)
        assert "out of memory" in seen(app)


async def test_a_held_boundary_is_shown_at_once(app: VramtopApp) -> None:
    held = sample(704, phase="forward", split=Split(parameters=2**20))
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot, *BEGUN, Flow(True, False), held)
        assert "held 1.00 MiB after forward" in seen(app)
        assert "PAUSED" in seen(app)


async def test_all_commands_are_in_the_palette(app: VramtopApp) -> None:
    async with app.run_test() as pilot:
        await pilot.pause()
        titles = [command.title for command in app.get_system_commands(app.screen)]
        assert "Batch size: double" in titles
        assert titles == [key.name for key in KEYS]
        assert len(set(titles)) == len(titles)


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


@pytest.mark.parametrize(
    ("settings", "key", "told"),
    [
        ({"batch_size": 1}, "minus", "a batch of 1 is one image"),
        ({"batch_size": 6000}, "plus", "a batch of 6,000 is all of the data"),
        (
            {"batch_size": 857, "accumulation": 7},
            "plus",
            "batch 857 ×7 = 5,999 is the most that 6,000 images allow",
        ),
    ],
)
async def test_a_batch_that_can_be_no_other_says_why(
    app: VramtopApp, script: Script, settings: dict[str, int], key: str, told: str
) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await begin(pilot, HELLO, configured(**settings))
        await pilot.press(key)
        await pilot.pause()
        assert told in seen(app)
        assert script.changes == []


async def test_keys_wait_for_a_worker_that_is_still_starting(app: VramtopApp) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("plus")
        await pilot.pause()
        assert "the worker is still starting" in seen(app)


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


async def test_news_breaks_between_words(app: VramtopApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await begin(pilot)
        line = app.query_one(NewsLine)
        words = "out of memory: 1,073 would have fitted (foretold)"
        for width in range(20, 60):
            drawn = line.draw((News(words), "running"), width, 3).plain.split("\n")
            assert [word for row in drawn for word in row.split()] == ["▸", *words.split()]
            assert max(map(len, drawn)) <= width
