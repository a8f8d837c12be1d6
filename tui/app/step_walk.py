"""Moves the cursor through a recorded step: by the clock, by keys and by the mouse."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from vramtop.tui.state import cursor
from vramtop.tui.state.state import State


class Timer(Protocol):
    """A call in the future."""

    def stop(self) -> None:
        """Cancel it."""
        ...


class Stage(Protocol):
    """What the walk needs of an app."""

    @property
    def state(self) -> State:
        """The latest state."""
        ...

    def show(self, state: State) -> None:
        """Take this state, and show it at once."""
        ...

    def set_timer(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Call back after `delay` seconds."""
        ...


class StepWalk:
    """Moves the cursor while the state has a walk; a key or a click ends that walk.

    Between walks no timer runs. `now` gives the seconds of a clock.
    """

    def __init__(self, stage: Stage, now: Callable[[], float] = time.monotonic) -> None:
        self._stage = stage
        self._now = now
        self._timer: Timer | None = None
        self._began = 0.0

    @property
    def running(self) -> bool:
        """Whether the cursor will move by itself."""
        return self._timer is not None

    def follow(self, before: State) -> None:
        """Begin or end a walk, as a message has changed the state since `before`."""
        if self._stage.state.walk is not before.walk:
            self._began = self._now()
            self._go_on()

    def move(self, by: int) -> str | None:
        """Move the cursor `by` moments; returns why that cannot be, None where it can."""
        if self._stage.state.measured is None:
            return "no step is recorded yet"
        self._stage.show(cursor.moved(self._stage.state, by))
        return None

    def put(self, place: int) -> None:
        """Put the cursor at a place in the recorded curve."""
        self._stage.show(cursor.put(self._stage.state, place))

    def leave(self) -> None:
        """Take the cursor away: the boundary at which the step is held is shown, or the peak."""
        self._stage.show(cursor.taken_away(self._stage.state))

    def _go_on(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        elapsed = self._now() - self._began
        state = cursor.walked(self._stage.state, elapsed)
        if state is not self._stage.state:
            self._stage.show(state)
        if state.walk is not None:
            self._timer = self._stage.set_timer(state.walk.wait(elapsed), self._go_on)
