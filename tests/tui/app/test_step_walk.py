"""The walk through a recorded step, by a clock that the test turns: no app, no screen."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from made import HELLO, configured
from recorded import CURVE, GOES, PAUSED, PEAK, RECORDED, SLOW, held
from vramtop.protocol.lesson.settings import Settings
from vramtop.tui.app.step_walk import StepWalk
from vramtop.tui.state.folding import fold
from vramtop.tui.state.lesson.folding import begun
from vramtop.tui.state.state import State
from vramtop.tui.state.walk import Walk
from vramtop.tui.worker.link import Received


class Call:
    """A call that is to come."""

    def __init__(self, at: float, function: Callable[[], None]) -> None:
        self.at = at
        self.function = function
        self.stopped = False

    def stop(self) -> None:
        self.stopped = True


class Stage:
    """A state, a clock, and all states that were shown."""

    def __init__(self, *messages: Received) -> None:
        self.state = begun(Settings())
        self.shown: list[int | None] = []
        self.calls: list[Call] = []
        self.now = 100.0
        self.walk = StepWalk(self, lambda: self.now)
        self.hear(HELLO, configured(), RECORDED, *messages)

    def show(self, state: State) -> None:
        self.state = state
        self.shown.append(state.cursor)

    def set_timer(self, delay: float, callback: Callable[[], None]) -> Call:
        self.calls.append(Call(self.now + delay, callback))
        return self.calls[-1]

    def hear(self, *messages: Received) -> None:
        for message in messages:
            before, self.state = self.state, fold(self.state, message)
            self.walk.follow(before)

    def run(self, seconds: float = 60) -> None:
        """Let time pass, and make each call when it is due."""
        end = self.now + seconds
        while due := [call for call in self.calls if not call.stopped and call.at <= end]:
            call = min(due, key=lambda each: each.at)
            self.calls.remove(call)
            self.now = call.at
            call.function()
        self.now = end


@pytest.mark.parametrize("flow", [PAUSED, SLOW])
def test_held_at_a_boundary_the_cursor_walks_to_it_and_rests(flow: Received) -> None:
    stage = Stage(flow, held("backward"))
    assert (stage.state.walk, stage.state.cursor) == (Walk(4, 7), 4)
    assert stage.walk.running
    stage.run()
    assert stage.shown == [5, 6, None]
    assert (stage.state.walk, stage.state.place) == (None, 7)
    assert not stage.walk.running


def test_a_walk_takes_its_time() -> None:
    stage = Stage(SLOW, held("backward"))
    walk = stage.state.walk
    assert walk is not None
    stage.run(0.6 * walk.seconds)
    assert stage.state.cursor == walk.at(0.6 * walk.seconds) == 6
    assert stage.walk.running


def test_pausing_stops_the_walk_where_it_is() -> None:
    stage = Stage(SLOW, held("backward"))
    stage.run(0.45)
    stage.hear(PAUSED)
    assert (stage.state.walk, stage.state.cursor) == (None, 6)
    assert not stage.walk.running
    stage.run()
    assert stage.state.cursor == 6


def test_going_on_stops_the_walk_and_takes_the_cursor_away() -> None:
    stage = Stage(SLOW, held("backward"))
    stage.run(0.45)
    stage.hear(GOES)
    assert (stage.state.walk, stage.state.cursor, stage.walk.running) == (None, None, False)


def test_advancing_begins_the_next_walk_at_its_own_beginning() -> None:
    stage = Stage(PAUSED, held("forward"))
    stage.run(0.1)
    stage.hear(held("backward"))
    assert (stage.state.walk, stage.state.cursor) == (Walk(4, 7), 4)
    assert sum(not call.stopped for call in stage.calls) == 1
    stage.run()
    assert stage.state.place == 7


def test_a_key_ends_the_walk_and_moves_on_from_where_it_was() -> None:
    stage = Stage(PAUSED, held("backward"))
    stage.run(0.45)
    assert stage.walk.move(-1) is None
    assert (stage.state.walk, stage.state.cursor) == (None, 5)
    stage.run()
    assert (stage.state.cursor, stage.walk.running) == (5, False)


def test_from_the_peak_the_cursor_goes_either_way_and_stays_in_the_step() -> None:
    stage = Stage()
    stage.walk.move(-1)
    assert stage.state.cursor == PEAK - 1
    stage.walk.put(99)
    stage.walk.move(1)
    assert stage.state.cursor == len(CURVE) - 1
    stage.walk.leave()
    assert stage.state.cursor is None


def test_before_a_step_is_recorded_the_key_says_so() -> None:
    stage = Stage()
    stage.state = begun(Settings())
    assert stage.walk.move(1) == "no step is recorded yet"
    assert stage.shown == []
