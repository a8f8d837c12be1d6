"""When the screen follows the state."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Protocol

from vramtop.protocol.gpus import GpusReport
from vramtop.protocol.lesson.messages import Evaluated, Noise
from vramtop.protocol.messages import Measured, Sample
from vramtop.tui.state.frozen import in_sight
from vramtop.tui.state.state import State
from vramtop.tui.worker.link import Modules, Received, ShapesSeen, Watched, WorkerLine

WHOLE_SECONDS = 1.0
_ALMOST = 0.9  # timers are not exact to the millisecond


class Part(Protocol):
    """A part of the screen; `show` draws nothing if nothing has changed."""

    @property
    def LIVE(self) -> bool:  # noqa: N802 - as a panel's class has it
        """Whether it moves with every sample."""
        ...

    def show(self, state: State) -> None:
        """Show what it has to show of this state."""
        ...


class Painter:
    """Decides when the parts of the screen follow the state. Nothing else does.

    - At once: what a key, the mouse or the walk through a step has changed (`paint`), and each
      message that somebody waits for (`waited_for`).
    - At the chosen pace, which sets the least seconds from one paint to the next: samples and GPU
      reports, in parts that are `LIVE`. These are few: a full repaint costs a slow line four times
      as much.
    - Once a second, by the app's clock (`catch_up`): all else.

    `parts` are those of all screens that are open, none when the app ends.
    """

    def __init__(self, parts: Callable[[], Sequence[Part]], seconds: float) -> None:
        self.seconds = seconds
        self._parts = parts
        self._painted: State | None = None
        self._moved = self._whole = -math.inf  # when live parts were shown last, and when all were

    def follow(self, before: State, after: State, message: Received) -> None:
        """Show what `message` has changed: at once, or when its parts are due."""
        if waited_for(before, after, message):
            self.paint(after)
        elif isinstance(message, (Sample, GpusReport)):
            self._move(after)

    def paint(self, state: State) -> None:
        """Show this state in all parts now."""
        if state is not self._painted:
            self.paint_anew(state)

    def paint_anew(self, state: State) -> None:
        """Show this state in all parts, those that are new too."""
        self._painted, self._whole = state, monotonic()
        seen = in_sight(state)
        for part in self._parts():
            part.show(seen)

    def catch_up(self, state: State) -> None:
        """Show this state in all parts, unless that was done less than a second ago."""
        if monotonic() - self._whole >= _ALMOST * WHOLE_SECONDS:
            self.paint(state)

    def _move(self, state: State) -> None:
        now = monotonic()
        if now - self._moved < _ALMOST * self.seconds:
            return
        self._moved = now
        self.catch_up(state)  # in the same frame as what moves
        if self._painted is state:
            return
        seen = in_sight(state)
        for part in self._parts():
            if part.LIVE:
                part.show(seen)


def waited_for(before: State, after: State, message: Received) -> bool:
    """Whether somebody waits to see what this message has changed."""
    match message:
        case Sample():
            held = after.held is not before.held or after.walk is not before.walk
            return after.paused or held or before.sample is None
        case Measured():
            return before.measured is None or after.walk is not before.walk
        case GpusReport():
            return before.gpus is None
        case Evaluated() | Noise() | WorkerLine() | Watched() | Modules() | ShapesSeen():
            return False
        case _:
            return True
