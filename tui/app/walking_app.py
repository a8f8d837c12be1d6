"""An app whose cursor goes through a recorded step, by the clock, by keys and by the mouse."""

from __future__ import annotations

import time
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.timer import Timer
from vramtop.tui.state import cursor
from vramtop.tui.state.state import State
from vramtop.tui.widgets.step.anatomy import AnatomyChart
from vramtop.tui.worker.link import Received

from .state_app import StateApp


class WalkingApp(StateApp):
    """Asks the walk where it is, as long as there is one; at rest no clock runs for it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        # Right is among the keys that the help and the palette list.
        Binding("left", "moment_before", "The moment before", show=False),
    ]

    _timer: Timer | None = None
    _began = 0.0

    def receive(self, message: Received) -> None:
        """Fold a message in; a new walk begins, whether or not the last one has ended."""
        before = self.state.walk
        super().receive(message)
        if self.state.walk is not before:
            self._began = time.monotonic()
            self._walk()

    def _walk(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        elapsed = time.monotonic() - self._began
        self._show(cursor.walked(self.state, elapsed))
        if self.state.walk is not None:
            self._timer = self.set_timer(self.state.walk.wait(elapsed), self._walk)

    def _show(self, state: State) -> None:
        self.state = state
        self.paint()

    def action_moment_before(self) -> None:
        """The cursor one moment back."""
        self._move_cursor(-1)

    def action_moment_after(self) -> None:
        """The cursor one moment on."""
        self._move_cursor(1)

    def _move_cursor(self, by: int) -> None:
        if self.state.measured is None:
            self.say("no step is recorded yet")
        else:
            self._show(cursor.moved(self.state, by))

    def leave_moment(self) -> None:
        """Back to the boundary, or to the peak."""
        self._show(cursor.taken_away(self.state))

    def on_anatomy_chart_chosen(self, message: AnatomyChart.Chosen) -> None:
        """The cursor where the mouse clicked."""
        self._show(cursor.put(self.state, message.place))
