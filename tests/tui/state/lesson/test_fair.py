"""Comparing sizes from fresh weights, and fresh weights alone: keys, news and commands."""

from __future__ import annotations

import pytest
from made import BEGUN, configured, out_of_memory, sample
from msgspec.structs import replace
from scripted import Script, begin, seen
from vramtop.protocol.lesson.commands import CallOff, Compare, Reset
from vramtop.protocol.lesson.messages import (
    Compared,
    Comparing,
    ComparisonEnded,
    Evaluated,
)
from vramtop.protocol.lesson.settings import SettingError, Settings
from vramtop.tui.app.lesson_app import VramtopApp
from vramtop.tui.state.lesson import fair
from vramtop.tui.state.lesson.visits import Visit

LESSON = [16, 64, 256, 1024, 4096]


# ---- which sizes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("visited", "sizes"),
    [
        ((), LESSON),
        ((Visit(64),), LESSON),
        ((Visit(64), Visit(100)), [64, 100]),
        ((Visit(64), Visit(512, accumulation=4)), LESSON),
        ((Visit(64), Visit(1000, out_of_memory=True)), [16, 64, 256]),
    ],
)
def test_those_visited_are_suggested_or_the_lessons_that_may_fit(
    visited: tuple[Visit, ...], sizes: list[int]
) -> None:
    assert fair.sizes(Settings(), visited, 6_000) == sizes


def test_batches_that_are_added_up_stay_within_the_data() -> None:
    assert fair.sizes(Settings(accumulation=4), (), 6_000) == LESSON[:4]
    with pytest.raises(SettingError, match="4 batches of 4,096 are more than the 6,000"):
        fair.planned(Settings(accumulation=4), "4096", 6_000)


def test_the_plan_is_a_sweeps() -> None:
    chosen = fair.planned(Settings(seed=7, hidden=32), "16,64", 6_000)
    expected = [Settings(seed=7, hidden=32, batch_size=size) for size in (16, 64)]
    assert [trial.settings for trial in chosen.trials] == expected
    assert {trial.images for trial in chosen.trials} == {30_000}


# ---- keys ---------------------------------------------------------------------------------------


async def test_a_key_asks_which_sizes_and_says_how_many_images_it_takes(
    app: VramtopApp, script: Script
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot, *BEGUN)
        await pilot.press("F")
        await pilot.pause()
        assert "16,64,256,1024,4096" in seen(app)
        assert "150,000 in all" in seen(app)
        await pilot.press("enter")
        await pilot.pause()
    (command,) = [each for each in script.sent if isinstance(each, Compare)]
    assert [each.batch_size for each in command.runs] == LESSON
    assert command.images == 30_000


async def test_what_cannot_be_compared_is_said_where_it_is_typed(
    app: VramtopApp, script: Script
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot, *BEGUN)
        await pilot.press("F", *"9999", "enter")
        await pilot.pause()
        assert "batch size is a whole number from 1 to 6,000" in seen(app)
    assert not [each for each in script.sent if isinstance(each, Compare)]


async def test_escape_calls_a_comparison_off_and_a_second_one_waits(
    app: VramtopApp, script: Script
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot, *BEGUN, Comparing(256, 3, 5, 12_000, 30_000))
        text = "comparing batch 256 (3 of 5): 12,000 of 30,000 images, escape calls it off"
        assert text in seen(app)
        await pilot.press("F")
        await pilot.pause()
        assert len(app.screen_stack) == 1
        await pilot.press("escape")
        assert [each for each in script.sent if isinstance(each, CallOff)]
        app.receive(ComparisonEnded(complete=False))
        assert app.state.lesson.comparing is None
        await pilot.pause()
        assert "the comparison is called off" in seen(app)


async def test_its_end_says_which_size_learned_most(app: VramtopApp) -> None:
    runs = [
        Compared(Settings(batch_size=size), 30_000, 2.3, loss, 0.9)
        for size, loss in ((64, 0.26), (16, 0.235), (256, 0.3))
    ]
    async with app.run_test(size=(120, 40)) as pilot:
        await begin(pilot, *BEGUN, *runs, ComparisonEnded(complete=True))
        text = "compared from fresh weights: batch 16 has the least test loss, 0.2350; x shows all"
        assert text in seen(app)


async def test_a_key_begins_again_with_fresh_weights(app: VramtopApp, script: Script) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot, *BEGUN)
        await pilot.press("plus", "0")
        (command,) = [each for each in script.sent if isinstance(each, Reset)]
        assert command.settings == replace(app.state.lesson.settings, batch_size=128)
        await begin(pilot, replace(configured(batch_size=128), fresh=True))
        assert "batch 64 → 128" in seen(app)
        await begin(pilot, replace(configured(batch_size=128), fresh=True))
        assert "fresh weights: the training begins again" in seen(app)


def folded(app: VramtopApp, *messages: object) -> None:
    for message in messages:
        app.receive(message)  # type: ignore[arg-type]


async def test_fresh_weights_begin_the_curves_anew_and_keep_the_sizes(app: VramtopApp) -> None:
    ends = [Evaluated(epoch, 1 / epoch, 0.9, 1000, 1000, None) for epoch in range(1, 7)]
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot, *BEGUN, sample(64_000), *ends, out_of_memory())
        folded(app, replace(configured(), fresh=True))
        state = app.state
    assert (state.history.points, state.sample, state.lesson.evaluated) == ((), None, None)
    assert [visit.batch_size for visit in state.lesson.visited] == [64, 8192]
    assert state.lesson.visited[0].learned is not None


async def test_the_training_that_comes_back_from_a_comparison_goes_on_comparing(
    app: VramtopApp,
) -> None:
    ends = [Evaluated(epoch, 1 / epoch, 0.9, 1000, 1000, None) for epoch in range(1, 7)]
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot, *BEGUN, *ends[:3])
        folded(app, configured(), *ends[3:])
        assert app.state.lesson.visited[0].learned is not None
