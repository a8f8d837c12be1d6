"""The tour, step by step, on messages made by hand: what it asks, waits for, says and restores."""

from __future__ import annotations

from textwrap import wrap

import pytest
from made import BEGUN, HELLO, configured, measured, out_of_memory, sample
from msgspec.structs import replace
from scripted import Script, begin, seen
from vramtop.protocol.commands import Advance, Pause, SlowMotion
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import Flow
from vramtop.protocol.split import Split
from vramtop.tui.app.lesson_app import VramtopApp
from vramtop.tui.screens.prompt import Prompt
from vramtop.tui.state.folding import fold
from vramtop.tui.state.lesson.folding import begun
from vramtop.tui.tour.guide import Guide
from vramtop.tui.tour.panel import TourStrip
from vramtop.tui.tour.steps import STEPS
from vramtop.tui.worker.commands import Commands
from vramtop.tui.worker.link import Received

PHASES = ("load", "forward", "backward", "optimizer", "zero_grad")


class Walk:
    """A guide with the state that it sees and the worker that it asks."""

    def __init__(self, *messages: Received, settings: Settings | None = None) -> None:
        self.script = Script()
        self.commands = Commands(self.script)
        self.state = begun(settings or Settings())
        self.guide = Guide(self.state.lesson.settings, lambda: self.commands)
        self.hear(*messages)

    def hear(self, *messages: Received) -> None:
        for message in messages:
            self.state = fold(self.state, message)
            self.commands.hear(message)
            self.guide.see(self.state)

    def becomes(self, **values: object) -> None:
        """The settings that were asked for are in force and measured."""
        batch_size = values.get("batch_size", 64)
        assert isinstance(batch_size, int)
        self.commands = Commands(self.script)  # all is answered
        self.hear(configured(**values), sample(batch_size=batch_size), measured(batch_size))

    def to(self, place: int) -> None:
        while self.guide.progress.place < place:
            self.guide.go_on()


@pytest.fixture
def walk() -> Walk:
    return Walk(*BEGUN)


def test_there_are_seven_steps_of_two_sentences() -> None:
    assert len(STEPS) == 7
    for step in STEPS:
        assert step.words.count(". ") == 1
        assert step.words.endswith(".")
        assert len(wrap(step.words, 76)) <= 2  # at 80 columns


def test_nothing_is_said_before_it_is_measured() -> None:
    walk = Walk(HELLO)
    assert walk.guide.progress.waiting
    walk.hear(configured())
    assert (walk.guide.progress.waiting, walk.guide.progress.text) == (True, "")
    walk.hear(measured(settled=False))
    assert walk.guide.progress.text == ""
    walk.hear(measured())
    assert not walk.guide.progress.waiting
    assert "batch 64: peak 2.14 MiB, of it parameters 397.5 KiB" in walk.guide.progress.text
    assert walk.script.sent == []


def test_the_first_step_brings_the_lessons_settings() -> None:
    walk = Walk(HELLO, configured(batch_size=512, optimizer="sgd", budget=2**24))
    assert walk.script.changes == [{"batch_size": 64, "optimizer": "adam", "budget": None}]


def test_a_larger_batch_is_compared_with_the_one_before(walk: Walk) -> None:
    walk.guide.go_on()
    walk.hear(sample(1280))
    assert walk.script.changes == [{"batch_size": 256}]
    assert walk.guide.progress.waiting
    walk.becomes(batch_size=256)
    assert walk.guide.progress.text == (
        "batch data 196.5 KiB → 786.0 KiB; activations 37.0 KiB → 148.0 KiB; "
        "parameters stayed 397.5 KiB"
    )


def test_phases_come_one_by_one_with_what_is_held(walk: Walk) -> None:
    walk.to(2)
    walk.becomes(batch_size=256)
    assert walk.script.sent[-1] == Advance(1)
    for phase in PHASES:
        split = Split(1024, 2048 if phase == "backward" else 0)
        walk.hear(Flow(paused=True, slow=False), replace(sample(256), phase=phase, split=split))
        here = "zero" if phase == "zero_grad" else phase
        gradients = "2.00 KiB" if phase == "backward" else "0 B"
        assert walk.guide.progress.text.startswith(f"after {here}: ")
        assert walk.guide.progress.text.endswith(f"gradients {gradients}")
        assert walk.guide.progress.enter == ("next phase" if phase != "zero_grad" else "")
        before = len(walk.script.sent)
        if phase != "zero_grad":
            assert walk.guide.go_on()
            assert isinstance(walk.script.sent[before], Advance)
    walk.guide.go_on()
    assert walk.guide.progress.place == 3
    assert isinstance(walk.script.sent[-1], Pause)
    assert walk.script.sent[-1].paused is False


def test_the_optimizer_changes_once_the_bar_with_adam_was_seen(walk: Walk) -> None:
    walk.to(3)
    walk.becomes(batch_size=256)
    before = len(walk.script.changes)
    text = "Adam: peak 2.72 MiB, optimizer state 795.1 KiB, 2.0 × the parameters"
    assert (walk.guide.progress.text, walk.guide.progress.enter) == (text, "change to SGD")
    assert walk.guide.go_on()
    assert walk.script.changes[before:] == [{"optimizer": "sgd"}]
    walk.becomes(batch_size=256, optimizer="sgd")
    assert walk.guide.progress.text.startswith("Adam → SGD: peak 2.72 MiB → ")
    assert walk.guide.progress.enter == ""


def test_a_viewer_may_press_the_phases_key_too(walk: Walk) -> None:
    walk.to(2)
    walk.becomes(batch_size=256)
    for phase in ("load", "forward"):
        walk.hear(Flow(True, False), replace(sample(256), phase=phase, split=Split(1)))
    assert walk.guide.progress.text.startswith("after forward")
    assert sum(isinstance(command, Advance) for command in walk.script.sent) == 1


def test_the_out_of_memory_step_says_which_batch_goes_on(walk: Walk) -> None:
    walk.to(5)
    walk.becomes(batch_size=256, optimizer="sgd")
    budget = walk.script.changes[-1]["budget"]
    assert budget == 4 * measured(256).anatomy.peak.bytes
    walk.becomes(batch_size=256, optimizer="sgd", budget=budget)
    assert walk.script.changes[-1] == {"batch_size": 6000}
    walk.hear(configured(batch_size=6000, optimizer="sgd", budget=budget))
    walk.hear(out_of_memory(batch_size=6000, needed=20_000_000, limit=budget, restored=256))
    assert walk.guide.progress.waiting
    walk.becomes(batch_size=256, optimizer="sgd", budget=budget)
    assert "batch 6,000 out of memory: at least 19.1 MiB of" in walk.guide.progress.text
    assert "; batch 256 goes on, peak" in walk.guide.progress.text


def test_the_practice_doubles_until_it_does_not_fit_and_takes_four_fifths() -> None:
    small = {"optimizer": "sgd", "budget": 2**23}
    walk = Walk(HELLO, configured(batch_size=256, **small), measured(256))
    walk.script.sent.clear()
    walk.guide._place, walk.guide._script = 6, None
    walk.hear(sample(512))
    for size in (16, 32, 64):
        assert walk.script.changes[-1] == {"batch_size": size}
        walk.becomes(batch_size=size, **small)
    walk.hear(configured(batch_size=128, **small))
    walk.hear(out_of_memory(batch_size=128, needed=2**24, limit=2**23))
    walk.becomes(batch_size=64, **small)
    assert walk.script.changes[-1] == {"batch_size": 51}
    walk.becomes(batch_size=51, **small)
    text = "16 32 64 fit, 128 out of memory; 0.8 × 64 = 51, peak "
    assert walk.guide.progress.text.startswith(text)
    assert not walk.guide.go_on()


def test_back_sets_the_step_before_up_again(walk: Walk) -> None:
    walk.to(3)
    walk.becomes(batch_size=256)
    walk.becomes(batch_size=256, optimizer="sgd")
    walk.guide.go_back()
    walk.guide.go_back()
    assert walk.guide.progress.place == 1
    assert walk.script.changes[-2:] == [{"optimizer": "adam"}, {"batch_size": 64}]
    walk.guide.go_back()
    walk.guide.go_back()
    assert walk.guide.progress.place == 0


def test_the_end_restores_what_the_viewer_had() -> None:
    mine = Settings(batch_size=100, optimizer="momentum", learning_rate=0.5, hidden=64)
    walk = Walk(HELLO, configured(), measured(), settings=mine)
    walk.guide.end()
    assert walk.script.changes == [
        {"batch_size": 100, "optimizer": "momentum", "learning_rate": 0.5, "hidden": 64}
    ]


def test_a_halted_training_goes_on_for_the_tour() -> None:
    walk = Walk()
    walk.state = replace(walk.state, paused=True, slow=True)
    walk.commands.hear(Flow(paused=True, slow=True))
    walk.hear(configured())
    assert walk.script.sent == [Pause(1, False), SlowMotion(2, False)]


# ---- on the screen ------------------------------------------------------------------------------


def place(app: VramtopApp) -> int:
    return app.screen.query_one(TourStrip)._guide.progress.place


@pytest.mark.parametrize("size", [(60, 18), (80, 24), (120, 40), (200, 60)])
async def test_it_covers_neither_bars_nor_rows(app: VramtopApp, size: tuple[int, int]) -> None:
    async with app.run_test(size=size) as pilot:
        await begin(pilot)
        before = seen(app)
        rows = [line for line in before.splitlines() if "Parameters" in line or "Total" in line]
        await pilot.press("T")
        await pilot.pause()
        screen = seen(app)
        assert "1 of 7  What the bars show" in screen
        assert "of it parameters 397.5 KiB" in " ".join(screen.split())
        assert all(row in screen for row in rows)
        assert "full bar 4.00 MiB" in screen
        await pilot.press("escape")
        await pilot.pause()
        assert seen(app) == before


async def test_its_keys_lead_on_back_and_out(app: VramtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot)
        await pilot.press("T")
        for key, there in (("enter", 1), ("right", 2), ("left", 1), ("left", 0), ("left", 0)):
            await pilot.press(key)
            assert place(app) == there
        await pilot.press("escape")
        await pilot.pause()
        assert not app.screen.query(TourStrip)


async def test_all_other_keys_do_what_they_always_do(app: VramtopApp, script: Script) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot)
        await pilot.press("T", "plus")
        assert script.changes == [{"batch_size": 128}]
        await pilot.press("z", "b")
        assert isinstance(app.screen, Prompt)
        await pilot.press("escape")
        assert app.screen.query_one(TourStrip).has_focus
        await pilot.press("q")
    assert app.return_code == 0


async def test_a_second_tour_is_the_first_one_still(app: VramtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot)
        await pilot.press("T", "enter", "T")
        assert place(app) == 1


async def test_a_tour_can_be_asked_for_before_there_is_a_worker(script: Script) -> None:
    app = VramtopApp(Settings(batch_size=64), script.start, tour=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "1 of 7" in seen(app)
        assert "measuring…" in seen(app)
        await begin(pilot)
        app.paint()
        await pilot.pause()
        assert "▸ batch 64: peak 2.14 MiB" in seen(app)


async def test_it_comes_back_to_the_main_screen_first(app: VramtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot)
        await pilot.press("i", "T")
        await pilot.pause()
        assert len(app.screen_stack) == 1
        assert place(app) == 0
