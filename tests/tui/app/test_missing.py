"""Why a CPU trains where a GPU may be stands on the screen at every width."""

from __future__ import annotations

import pytest
from made import HELLO, begun_on, log_of, measured
from msgspec.structs import replace
from scripted import begin, painted, seen
from vramtop.protocol.messages import Failed
from vramtop.tui.app.lesson_app import VramtopApp
from vramtop.tui.worker.link import WorkerLine

OLD = "NVIDIA driver too old: CUDA 12.2 < 13.0"
TRAINING = begun_on(replace(HELLO.device, missing=OLD))[:-1]  # nothing is measured yet


def bar(app: VramtopApp) -> str:
    """The line of the device bar that tells whose memory it is."""
    (line,) = [line for line in seen(app).splitlines() if " worker  " in line]
    return line


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_the_reason_stands_on_the_screen_and_stays(
    app: VramtopApp, size: tuple[int, int]
) -> None:
    async with app.run_test(size=size) as pilot:
        await begin(pilot, *TRAINING)
        assert OLD in bar(app)
        await painted(pilot, measured())
        assert OLD in bar(app)
    assert f"no GPU is used: {OLD}" in log_of(app.state)


async def test_where_the_reason_has_no_room_its_beginning_stands(app: VramtopApp) -> None:
    async with app.run_test(size=(60, 18)) as pilot:
        await begin(pilot, *TRAINING)
        assert OLD[:12] in seen(app)


async def test_what_a_worker_printed_before_it_failed_is_kept_for_the_end(app: VramtopApp) -> None:
    async with app.run_test() as pilot:
        await begin(pilot, WorkerLine("why"), Failed("no such device", usage=True))
    assert (app.printed, app.usage_error) == (["why"], "no such device")
