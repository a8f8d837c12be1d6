"""News that is shown over whatever screen is open."""

from __future__ import annotations

import pytest
from made import BEGUN, HELLO, after, configured, out_of_memory
from scripted import begin, seen
from vramtop.protocol.gpus import Gpu, GpusReport
from vramtop.protocol.lesson.messages import Evaluated
from vramtop.tui.app.lesson_app import VramtopApp
from vramtop.tui.state.folding import fold
from vramtop.tui.widgets.events import event
from vramtop.tui.widgets.headlines import Headline
from vramtop.tui.worker.link import Received, WorkerGone

OUT_OF_MEMORY = out_of_memory(detail="")
HEALTHY = GpusReport((Gpu(0, "GPU-1", "a GPU", total=8),))
LOST = GpusReport((Gpu(0, "GPU-1", "a GPU", total=8, trouble="GPU is lost"),))


def event_of(first: tuple[Received, ...], then: Received, *, covered: bool) -> Headline | None:
    before = after(*first)
    return event(before, fold(before, then), covered=covered)


@pytest.mark.parametrize(
    ("message", "said", "trouble"),
    [
        (configured(batch_size=128), "batch 64 → 128", False),
        (OUT_OF_MEMORY, "batch 8,192 out of memory", True),
        (WorkerGone(-15, ()), "the worker is gone (SIGTERM)", True),
        (
            WorkerGone(-9, (), 8192),
            "the worker was killed (SIGKILL) with batch 8,192, probably for lack of memory",
            True,
        ),
        (
            WorkerGone(-9, ()),
            "the worker was killed (SIGKILL), probably for lack of memory",
            True,
        ),
    ],
)
def test_news_is_an_event_only_where_its_line_is_covered(
    message: Received, said: str, trouble: bool
) -> None:
    happened = event_of(BEGUN, message, covered=True)
    assert happened is not None
    assert said in happened.text
    assert happened.trouble is trouble
    assert event_of(BEGUN, message, covered=False) is None


def test_the_end_of_an_epoch_is_no_event() -> None:
    assert event_of(BEGUN, Evaluated(1, 0.3, 0.9, 1000, 1000, None), covered=True) is None


def test_a_lost_gpu_is_one_event_on_every_screen() -> None:
    assert event_of((HEALTHY,), LOST, covered=False) == Headline("GPU 0: GPU is lost", trouble=True)
    assert event_of((LOST,), LOST, covered=False) is None
    assert event_of((LOST,), HEALTHY, covered=False) is None


def test_what_was_never_there_is_no_event() -> None:
    assert event_of((), GpusReport(trouble="no NVIDIA driver"), covered=True) is None


async def test_an_out_of_memory_is_shown_over_the_help(app: VramtopApp) -> None:
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await begin(pilot, HELLO, configured())
        await pilot.press("question_mark")
        app.receive(OUT_OF_MEMORY)
        await pilot.pause()
        await pilot.pause()
        assert "batch 8,192 out of memory" in seen(app)
