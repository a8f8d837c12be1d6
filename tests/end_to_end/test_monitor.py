"""The screen on the real worker process: each key, from the press to the bytes it makes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from piloted_monitor import Piloted
from vramtop.protocol.lesson.formula import lesson
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.split import PHASES, Split
from vramtop.tui.app.lesson_app import VramtopApp
from vramtop.tui.state.state import State
from vramtop.tui.widgets.headlines import headline
from vramtop.tui.widgets.step.split_bar import SplitBar
from vramtop.tui.widgets.step.tensors import TensorTable
from vramtop.tui.worker.process import start_worker


class Monitor(Piloted):
    """What a user does in a piloted app."""

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def type(self, key: str, text: str) -> None:
        """Ask a question by its key and answer it."""
        await self.press(key)
        self.app.screen.query_one("#answer").value = text
        await self.press("enter")


@asynccontextmanager
async def monitor(**values: object) -> AsyncIterator[Monitor]:
    settings = Settings(device="cpu", **values)
    app = VramtopApp(settings, lambda: start_worker(settings))
    async with app.run_test(size=(120, 40)) as pilot:
        seen = Monitor(app, pilot)
        await seen.until(lambda state: state.measured and state.measured.settled)
        yield seen


def settled(**wanted: object) -> Callable[[State], bool]:
    """Whether these settings are in force, and measured with the optimizer's state in place."""
    return lambda state: (
        all(getattr(state.lesson.settings, name) == value for name, value in wanted.items())
        and state.measured is not None
        and state.measured.settled
    )


def expected(state: State) -> int:
    """The lesson's batch data with its targets, for the settings in force."""
    settings = state.lesson.settings
    pixels = {"mnist": 784, "cifar10": 3072}[settings.dataset]
    formula = lesson(
        pixels=pixels,
        hidden=settings.hidden,
        batch_size=settings.batch_size,
        optimizer=settings.optimizer,
    )
    return formula.batch_data + 8 * settings.batch_size


async def test_keys_change_what_is_trained_and_a_budget_brings_the_last_batch_size_back() -> None:
    async with monitor() as seen:
        for key, size in (("+", 128), ("-", 64), ("]", 70), ("[", 63)):
            await seen.press(key)
            state = await seen.until(settled(batch_size=size))
            assert state.measured.anatomy.high_water.batch_data == expected(state)
        await seen.type("b", "1,000")
        state = await seen.until(settled(batch_size=1000))
        assert state.measured.anatomy.high_water.batch_data == expected(state)
        assert [visit.batch_size for visit in state.lesson.visited] == [63, 64, 70, 128, 1000]

        await seen.press("o")
        state = await seen.until(settled(optimizer="adamw"))
        assert state.lesson.settings.rate == 0.001
        await seen.press("o")
        state = await seen.until(settled(optimizer="sgd"))
        assert state.measured.anatomy.high_water.optimizer_state == 0
        await seen.type("l", "0.5")
        await seen.until(settled(learning_rate=0.5))
        await assert_a_budget_brings_the_last_batch_size_back(seen)
        await seen.type("v", "1GiB")
        await seen.until(settled(budget=2**30))
        await seen.type("w", "256")
        state = await seen.until(settled(hidden=256))
        assert state.measured.anatomy.high_water.parameters == 4 * (785 * 256 + 257 * 10)
        await seen.press("d")
        state = await seen.until(settled(dataset="cifar10"))
        assert state.measured.anatomy.high_water.parameters == 4 * (3073 * 256 + 257 * 10)
        assert state.measured.anatomy.high_water.batch_data == expected(state)
        assert state.lesson.configured.data.source == "synthetic"


async def assert_a_budget_brings_the_last_batch_size_back(seen: Monitor) -> None:
    await seen.type("b", "64")
    await seen.until(settled(batch_size=64))
    await seen.type("v", "2MiB")
    await seen.until(settled(budget=2 * 2**20))
    for size in (128, 256):
        await seen.press("+")
        await seen.until(settled(batch_size=size))
    await seen.press("+")
    state = await seen.until(
        lambda state: any(visit.out_of_memory for visit in state.lesson.visited)
    )
    assert headline(state.news).trouble
    state = await seen.until(settled(batch_size=256))
    assert headline(state.news).trouble
    assert state.measured.anatomy.peak.bytes <= state.lesson.settings.budget


async def held_after(seen: Monitor, phase: str) -> State:
    """One phase on, with the walk to its end behind."""
    await seen.press(".")
    await seen.until(lambda state: state.held and state.held.phase == phase)
    return await seen.until(lambda state: state.walk is None)


def shown(seen: Monitor) -> Split:
    """What the split bar shows."""
    return seen.app.query_one(SplitBar)._shown.seen.split


async def test_a_step_is_walked_through_looked_at_and_listed_to_the_byte() -> None:
    async with monitor() as seen:
        await seen.press("space")
        await seen.until(lambda state: state.paused)
        await assert_the_bars_walk_by_a_key(seen)
        step = seen.app.state.sample.step
        await seen.press("space")
        await seen.until(lambda state: not state.paused and state.sample.step > step + 1)
        assert seen.app.state.held is None
        await assert_the_bars_walk_in_slow_motion(seen)

        await seen.press("space")
        await seen.until(lambda state: state.paused)
        for phase in ("load", "forward", "backward", "optimizer"):
            state = await held_after(seen, phase)
        await assert_gradients_appear_activations_go_and_adams_temporaries_flare(seen, state)
        await seen.press("escape")
        assert shown(seen) == state.measured.anatomy.boundaries["optimizer"]
        await seen.press("space")
        await seen.until(lambda state: state.held is None)
        assert seen.app.state.place is None
        await assert_each_category_lists_tensors_that_add_up_to_its_row(seen)


async def assert_the_bars_walk_by_a_key(seen: Monitor) -> None:
    """Of a paused training: phase by phase, and within each from moment to moment."""
    for phase in PHASES:
        await seen.press(".")
        state = await seen.until(lambda state, at=phase: state.held and state.held.phase == at)
        anatomy, places = state.measured.anatomy, [-1]
        while (cursor := seen.app.state.cursor) is not None:
            assert anatomy.curve[cursor].phase == phase
            assert anatomy.curve[cursor].split == shown(seen)
            places.append(cursor)
            await seen.pilot.pause(0.01)
        assert places == sorted(places)
        assert shown(seen) == state.held.split == anatomy.boundaries[phase]


async def assert_the_bars_walk_in_slow_motion(seen: Monitor) -> None:
    await seen.press("s")
    for phase in ("load", "forward", "backward"):
        state = await seen.until(lambda state, at=phase: state.walk and state.held.phase == at)
        assert state.measured.anatomy.curve[state.cursor].phase == phase
    await seen.press("s")
    await seen.until(lambda state: not state.slow and state.held is None)
    assert (seen.app.state.walk, seen.app.state.cursor) == (None, None)


async def assert_gradients_appear_activations_go_and_adams_temporaries_flare(
    seen: Monitor, state: State
) -> None:
    """Seen by a look at each moment, back from the end of the optimizer's phase."""
    curve = state.measured.anatomy.curve
    splits = {phase: list[Split]() for phase in PHASES}
    for place in reversed(range(state.place)):
        await seen.press("left")
        assert shown(seen) == curve[place].split
        splits[seen.app.state.seen.phase].insert(0, shown(seen))
    backward, optimizer = splits["backward"], splits["optimizer"]
    parameters, weight = 4 * (785 * 128 + 129 * 10), 4 * 784 * 128
    assert (backward[0].gradients, backward[-1].gradients) == (0, parameters)
    # ReLU's output goes, and the log-softmax, and one number of the loss's two.
    activations = 512 * 64 + 40 * 64 + 4
    assert backward[0].activations - backward[-1].activations == activations
    assert max(split.temporaries for split in optimizer) == 2 * weight
    assert (backward[-1].temporaries, shown(seen).temporaries) == (0, 0)


async def assert_each_category_lists_tensors_that_add_up_to_its_row(seen: Monitor) -> None:
    for category, largest in (
        ("parameters", "1.weight"),
        ("gradients", "1.weight.grad"),
        ("optimizer_state", "exp_avg of 1.weight"),
        ("batch_data", "inputs"),
        ("activations", "output of relu"),
        ("temporaries", "output of "),
    ):
        await seen.press("down")
        state = seen.app.state
        assert state.chosen == category
        of_it = state.measured.tensors[category]
        total = sum(facts.bytes for facts in of_it.largest) + of_it.others_bytes
        assert total == getattr(state.measured.anatomy.high_water, category)
        await seen.pilot.pause()
        table = seen.app.query_one(TensorTable)
        picture = table.draw(table.pick(state), *table.content_size)
        assert f"\n{largest}" in picture.plain
