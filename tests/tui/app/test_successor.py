"""After a worker's death: the reason, the snapshot, and the key that starts another worker."""

from __future__ import annotations

import pytest
from made import HELLO, configured, sample
from msgspec.structs import replace
from scripted import Script, begin, seen
from vramtop.protocol.lesson.messages import LessonSample
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.lesson.shelf import Kept
from vramtop.protocol.messages import Failed
from vramtop.tui.app.lesson_app import VramtopApp
from vramtop.tui.widgets.headlines import headline
from vramtop.tui.worker.link import WorkerGone

GONE = WorkerGone(-9, ())


def at(step: int) -> LessonSample:
    return replace(sample(), step=step)


async def test_the_offer_names_the_snapshot_and_the_key_takes_it(
    app: VramtopApp, script: Script
) -> None:
    script.kept = Kept(Settings(), 690, 44_160)
    async with app.run_test(size=(120, 40)) as pilot:
        await begin(pilot, HELLO, configured(), at(704), GONE)
        text = "R starts another, from the snapshot at step 690, 14 steps before the last one seen"
        assert f"{text}; the worker was killed (SIGKILL)" in " ".join(seen(app).split())
        assert "R another worker" in seen(app)
        await pilot.press("R")
        assert script.restarts == 1
        text = "another worker starts, from the snapshot at step 690, 14 steps before"
        assert text in " ".join(seen(app).split())
        await begin(pilot, HELLO, configured(), at(691))
        assert not app.state.over
        assert "R another worker" not in seen(app)


async def test_without_a_snapshot_it_says_that_all_begins_anew(
    app: VramtopApp, script: Script
) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await begin(pilot, HELLO, configured(), GONE)
        assert "from the beginning: there is no snapshot" in " ".join(seen(app).split())
        await pilot.press("R", "R")
        assert script.restarts == 1


async def test_the_reason_of_a_failure_stays_and_the_offer_comes_once(app: VramtopApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        failed = Failed("CUDA error: an illegal memory access", usage=False)
        await begin(pilot, HELLO, configured(), at(704), failed, WorkerGone(1, ()))
        assert app.state.news is not None
        assert headline(app.state.news).text.count("R starts another") == 1
        assert "illegal memory access" in headline(app.state.news).text


async def test_while_the_training_runs_the_key_starts_nothing(
    app: VramtopApp, script: Script
) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await begin(pilot)
        await pilot.press("R")
        assert script.restarts == 0
        assert "R is for when the worker has ended" in seen(app)


async def test_a_worker_that_could_not_be_started_is_started_by_the_key(script: Script) -> None:
    tries = 0

    async def start() -> Script:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise OSError("no more processes")
        return script

    app = VramtopApp(Settings(), start)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        assert "no more processes" in seen(app)
        await pilot.press("R")
        await begin(pilot)
        assert tries == 2
        assert app.state.life == "running"


@pytest.mark.parametrize("width", [60, 80])
async def test_a_narrow_screen_has_room_for_the_key_and_the_reason(
    app: VramtopApp, script: Script, width: int
) -> None:
    script.kept = Kept(Settings(), 690, 44_160)
    async with app.run_test(size=(width, 24)) as pilot:
        await begin(pilot, HELLO, configured(), at(704), GONE)
        assert "R starts another; killed (SIGKILL)" in seen(app)
