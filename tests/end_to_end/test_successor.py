"""A worker dies, and a key lets another go on: from the last snapshot, to the bit."""

from __future__ import annotations

import os
import signal
import time

import pytest
from piloted_monitor import Piloted
from vramtop.protocol.lesson.messages import LessonSample
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.lesson.shelf import Shelf
from vramtop.protocol.messages import Hello
from vramtop.tui.app.lesson_app import VramtopApp
from vramtop.tui.widgets.headlines import headline
from vramtop.tui.worker.link import Received
from vramtop.tui.worker.process import Worker, start_worker
from vramtop.tui.worker.succession import Succession

begins: list[float] = []


async def start(settings: Settings, shelf: Shelf, resume: bool, began: float) -> Worker:
    begins.append(began)
    return await start_worker(settings, shelf=shelf, resume=resume, every_step=True, began=began)


async def test_after_a_kill_the_key_brings_back_every_step_since_the_snapshot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = Settings(device="cpu")
    steps: list[dict[int, tuple[float | None, int]]] = []  # loss and images of each
    workers: list[int] = []

    async def begin() -> Succession:
        shelf = Shelf.make()
        first = await start(settings, shelf, False, time.monotonic())
        return Succession(settings, shelf, start, first)

    app = VramtopApp(settings, begin)
    receive = app.receive

    def listen(message: Received) -> None:
        if isinstance(message, Hello):
            workers.append(message.pid)
            steps.append({})
        if isinstance(message, LessonSample):
            steps[-1][message.step] = (message.loss, message.images)
        receive(message)

    monkeypatch.setattr(app, "receive", listen)
    async with app.run_test(size=(120, 40)) as pilot:
        seen = Piloted(app, pilot)
        await seen.until(lambda _: app.training.kept)
        first = app.training.kept.steps
        await seen.until(lambda state: state.sample and state.sample.step > first + 50)
        os.kill(workers[0], signal.SIGKILL)
        state = await seen.until(lambda state: state.over)
        assert "SIGKILL" in headline(state.news).text
        assert (
            f"R starts another, from the snapshot at step {first:,}," in headline(state.news).text
        )
        last = state.sample.step
        await pilot.press("R")
        await seen.until(lambda state: state.sample and not state.over and state.sample.step > last)
    assert begins == [begins[0]] * 2  # one session, one clock
    before, after = steps
    assert min(after) == first + 1
    again = {step: told for step, told in before.items() if step > first and told[0] is not None}
    assert len(again) > 30
    assert again == {step: after[step] for step in again}
