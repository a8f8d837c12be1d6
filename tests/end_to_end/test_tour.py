"""The guided tour on the real worker process: each step and what it measures."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from piloted_monitor import Piloted
from rich.color import Color
from vramtop.protocol.lesson.settings import Settings
from vramtop.tui.app.lesson_app import VramtopApp
from vramtop.tui.state.state import State
from vramtop.tui.tour.panel import TourStrip
from vramtop.tui.tour.steps import STEPS
from vramtop.tui.widgets.headlines import headline
from vramtop.tui.widgets.step.split_bar import SplitBar
from vramtop.tui.words import units
from vramtop.tui.worker.process import start_worker

P = 407_080
MINE = Settings(device="cpu", batch_size=100, optimizer="momentum", hidden=64, budget=2**24)


class Tour(Piloted):
    """A tour under way."""

    timeout_seconds = 120

    @property
    def last_seen(self) -> object:
        return self.strip._guide.progress

    @property
    def strip(self) -> TourStrip:
        return self.app.screen.query_one(TourStrip)

    @property
    def text(self) -> str:
        return self.strip._guide.progress.text

    async def step(self, place: int, *, enter: bool = True) -> State:
        """The state once all of this step has been measured."""
        if enter:
            await self.pilot.press("enter")
        return await self.until(
            lambda _: (view := self.strip._guide.progress).place == place and not view.waiting
        )

    async def bar(self) -> float:
        """Which part of the split bar is filled, to within a cell."""
        self.app.paint()
        await self.pilot.pause()
        part = self.app.screen.query_one(SplitBar)
        fills = [Color.parse(fill) for fill in part.palette.fills]
        strip = part.render_line(part.content_size.height - 1)
        filled = [s for s in strip if s.style and s.style.bgcolor in fills]
        return sum(len(segment.text) for segment in filled) / part.content_size.width

    def shown(self) -> str:
        """All lines of the strip, in one."""
        lines = (
            "".join(segment.text for segment in self.strip.render_line(y))
            for y in range(self.strip.content_size.height)
        )
        return " ".join(" ".join(lines).replace("▌", " ").split())


async def from_adam_to_sgd(tour: Tour) -> None:
    """What the text says of the peak and the bar agree: both sink."""
    state = await tour.step(3)
    await tour.until(lambda state: state.held is None)
    adam, before = state.measured.anatomy.peak.bytes, await tour.bar()
    kept = f"optimizer state {units.size(2 * P + 16)}"
    assert tour.text == f"Adam: peak {units.size(adam)}, {kept}, 2.0 × the parameters"
    await tour.pilot.press("enter")
    state = await tour.until(lambda _: tour.text.startswith("Adam → SGD"))
    sgd, after = state.measured.anatomy.peak.bytes, await tour.bar()
    assert state.lesson.settings.optimizer == "sgd"
    peaks = f"{units.size(adam)} → {units.size(sgd)}"
    assert tour.text == f"Adam → SGD: peak {peaks}, {kept} → 0 B"
    assert after / before == pytest.approx(sgd / adam, abs=0.05)
    assert after < 0.6 * before


async def left_while_held(tour: Tour) -> None:
    """The tour is begun by a key and left in a held step: the training goes on as before."""
    await tour.pilot.press("T", "enter", "enter")
    await tour.until(lambda state: state.held)
    await tour.pilot.press("escape")
    await tour.until(lambda state: state.lesson.settings == MINE and not state.paused)
    await tour.until(lambda state: state.sample)  # of the model that has come back
    step = tour.app.state.sample.step
    await tour.until(lambda state: state.sample.step > step)
    assert tour.app.state.lesson.settings == MINE


async def test_seven_steps_also_after_one_that_was_left_and_all_is_as_it_was() -> None:
    app = VramtopApp(MINE, lambda: start_worker(MINE))
    async with app.run_test(size=(80, 24)) as pilot:
        tour = Tour(app, pilot)
        await tour.until(lambda state: state.measured)
        await left_while_held(tour)
        await pilot.press("T")
        await tour.until(lambda _: app.screen.query(TourStrip))
        state = await tour.step(0, enter=False)
        assert (state.lesson.settings.batch_size, state.lesson.settings.optimizer) == (64, "adam")
        peak = state.measured.anatomy.peak.bytes
        assert f"batch 64: peak {units.size(peak)}" in tour.text

        await tour.step(1)
        data = [units.size(3144 * batch) for batch in (64, 256)]
        assert f"batch data {data[0]} → {data[1]}" in tour.text
        assert f"parameters stayed {units.size(P)}" in tour.text
        for size in ((120, 40), (60, 18), (80, 24)):
            await pilot.resize_terminal(*size)
            app.paint()
            await pilot.pause()
            assert f"2 of {len(STEPS)}" in tour.shown(), size
            assert tour.text in tour.shown(), size

        await tour.step(2)
        for phase in ("load", "forward", "backward", "optimizer", "zero"):
            await tour.until(lambda _, at=phase: tour.text.startswith(f"after {at}: "))
            gradients = P if phase in ("backward", "optimizer") else 0
            assert tour.text.endswith(f"gradients {units.size(gradients)}")
            if phase != "zero":
                await pilot.press("enter")

        await from_adam_to_sgd(tour)

        await tour.step(4)
        wide = units.size(4 * (785 * 512 + 513 * 10))
        assert f"parameters {units.size(P)} → {wide}" in tour.text
        assert f"batch data stayed {data[1]}" in tour.text

        state = await tour.step(5)
        assert "batch 6,000 out of memory: at least" in tour.text
        assert state.lesson.settings.batch_size == 256
        assert headline(state.news).trouble

        state = await tour.step(6)
        fitting, failed, largest, chosen = re.match(
            r"([\d, ]+) fit, ([\d,]+) out of memory; 0\.8 × ([\d,]+) = ([\d,]+), peak", tour.text
        ).groups()
        assert fitting.split()[:3] == ["16", "32", "64"]
        assert fitting.split()[-1] == largest
        sizes = [int(text.replace(",", "")) for text in (largest, failed, chosen)]
        assert sizes[1] == 2 * sizes[0]
        assert sizes[2] == sizes[0] * 8 // 10 == state.lesson.settings.batch_size
        assert state.measured.anatomy.peak.bytes <= state.lesson.settings.budget
        assert tour.text in tour.shown()

        await pilot.press("enter")
        await tour.until(lambda state: state.lesson.settings == MINE and state.measured)
        assert not app.screen.query(TourStrip)
        assert not app.state.paused


async def test_on_a_gpu_too_a_budget_is_met_and_a_batch_size_found(
    run_on: Callable[..., object],
) -> None:
    run_on(total=4 * 2**30)
    settings = Settings(device="cuda:0")
    app = VramtopApp(settings, lambda: start_worker(settings), tour=True)
    async with app.run_test(size=(120, 40)) as pilot:
        tour = Tour(app, pilot)
        await tour.until(lambda _: app.screen.query(TourStrip))
        await tour.step(0, enter=False)
        for _ in range(4):
            tour.strip.action_go_on()
            await tour.until(lambda _: not tour.strip._guide.progress.waiting)
            while tour.strip._guide.progress.enter:
                before = tour.text
                tour.strip.action_go_on()
                await tour.until(lambda _, was=before: tour.text != was)
        state = await tour.step(5)
        assert "batch 6,000 out of memory" in tour.text
        assert state.lesson.settings.batch_size == 256
        state = await tour.step(6)
        assert re.match(r"16 32 .* fit, [\d,]+ out of memory; 0\.8 × ", tour.text)
        assert state.measured.allocator.reserved <= state.lesson.settings.budget
        await pilot.press("enter")
        await tour.until(lambda state: state.lesson.settings == settings)
