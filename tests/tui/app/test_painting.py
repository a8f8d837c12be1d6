"""When the screen follows the state, by a clock that the test turns: no app, no screen."""

from __future__ import annotations

import pytest
from made import BEGUN, HELLO, after, configured, measured, noise, out_of_memory, sample
from recorded import PAUSED, RECORDED, SLOW, held
from vramtop.protocol.gpus import GpusReport
from vramtop.protocol.lesson.messages import Evaluated
from vramtop.protocol.messages import Answer, Note
from vramtop.tui.app import painting
from vramtop.tui.app.painting import Painter, waited_for
from vramtop.tui.state.folding import fold
from vramtop.tui.state.state import State
from vramtop.tui.worker.link import Received, WorkerGone, WorkerLine

OUT_OF_MEMORY = out_of_memory(batch_size=64, restored=32)
EPOCH = Evaluated(1, 0.3, 0.9, 1000, 1000, None)


class Part:
    """Remembers the states that it was shown."""

    def __init__(self, *, live: bool) -> None:
        self.LIVE = live
        self.shown: list[State] = []

    def show(self, state: State) -> None:
        self.shown.append(state)


class Wall:
    """A live and a calm part, and the clock that they are painted by."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: float = 0.25) -> None:
        self.now = 50.0
        monkeypatch.setattr(painting, "monotonic", lambda: self.now)
        self.live, self.calm = Part(live=True), Part(live=False)
        self.painter = Painter(lambda: [self.live, self.calm], seconds)
        self.state = after(*BEGUN)
        self.painter.paint(self.state)
        self.forget()

    def forget(self) -> None:
        self.live.shown.clear()
        self.calm.shown.clear()

    def hear(self, message: Received, *, later: float = 0) -> tuple[int, int]:
        """How often the live and the calm part were shown something by this message."""
        self.now += later
        self.forget()
        before, self.state = self.state, fold(self.state, message)
        self.painter.follow(before, self.state, message)
        return len(self.live.shown), len(self.calm.shown)


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    return Wall(monkeypatch)


@pytest.mark.parametrize("message", [configured(batch_size=128), OUT_OF_MEMORY, Note("x"), PAUSED])
def test_news_is_painted_everywhere_at_once(wall: Wall, message: Received) -> None:
    assert wall.hear(message) == (1, 1)
    assert wall.calm.shown == [wall.state]


def test_samples_move_the_live_parts_at_the_chosen_pace(wall: Wall) -> None:
    assert wall.hear(sample(704), later=0.1) == (1, 0)
    assert wall.hear(sample(768), later=0.1) == (0, 0)
    assert wall.hear(sample(832), later=0.15) == (1, 0)
    wall.painter.seconds = 0.5
    assert wall.hear(sample(896), later=0.3) == (0, 0)
    assert wall.hear(sample(960), later=0.2)[0] >= 1


def test_gpu_reports_move_them_too(wall: Wall) -> None:
    wall.hear(GpusReport(driver_version="1"))
    assert wall.hear(GpusReport(driver_version="2"), later=0.3) == (1, 0)
    assert wall.hear(GpusReport(driver_version="3"), later=0.1) == (0, 0)


def test_the_rest_is_painted_once_a_second(wall: Wall) -> None:
    assert wall.hear(EPOCH, later=0.5) == (0, 0)
    wall.painter.catch_up(wall.state)
    assert not wall.calm.shown
    wall.now += 0.5
    wall.painter.catch_up(wall.state)
    assert wall.calm.shown == [wall.state]
    wall.now += 5
    wall.painter.catch_up(wall.state)
    assert len(wall.calm.shown) == 1  # there was nothing new


def test_a_sample_that_comes_a_second_later_takes_the_rest_along(wall: Wall) -> None:
    assert wall.hear(sample(704), later=0.5)[1] == 0
    assert wall.hear(sample(768), later=0.5)[1] == 1
    assert wall.calm.shown == [wall.state]


def test_what_takes_the_rest_along_shows_each_part_once(wall: Wall) -> None:
    wall.hear(GpusReport(driver_version="1"))
    assert wall.hear(GpusReport(driver_version="2"), later=1) == (1, 1)


def test_a_part_that_came_later_is_shown_the_same_state(wall: Wall) -> None:
    wall.painter.paint(wall.state)
    assert not wall.calm.shown
    wall.painter.paint_anew(wall.state)
    assert wall.calm.shown == [wall.state]


@pytest.mark.parametrize(
    ("before", "message", "waited"),
    [
        ((HELLO, configured()), sample(), True),
        (BEGUN, sample(704), False),
        ((*BEGUN, PAUSED), sample(704), True),
        ((HELLO, configured(), sample(), RECORDED, SLOW), held("backward"), True),
        ((HELLO, configured(), sample()), measured(), True),
        (BEGUN, measured(), False),
        ((), GpusReport(), True),
        ((GpusReport(),), GpusReport(driver_version="2"), False),
        (BEGUN, EPOCH, False),
        (BEGUN, noise(), False),
        (BEGUN, WorkerLine("x"), False),
        (BEGUN, Answer(1, "no"), True),
        (BEGUN, WorkerGone(1, ()), True),
    ],
)
def test_which_messages_are_painted_at_once(
    before: tuple[Received, ...], message: Received, waited: bool
) -> None:
    state = after(*before)
    assert waited_for(state, fold(state, message), message) is waited
