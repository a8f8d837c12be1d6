"""An app on a real worker process, with the pilot that presses its keys."""

from __future__ import annotations

import time
from collections.abc import Callable

from textual.pilot import Pilot
from vramtop.tui.app.lesson_app import VramtopApp
from vramtop.tui.state.state import State


class Piloted:
    """An app with its pilot."""

    timeout_seconds = 60

    def __init__(self, app: VramtopApp, pilot: Pilot[int]) -> None:
        self.app = app
        self.pilot = pilot

    async def until(self, condition: Callable[[State], object]) -> State:
        """The state, once the condition holds."""
        latest = time.monotonic() + self.timeout_seconds
        while time.monotonic() < latest:
            if condition(self.app.state):
                return self.app.state
            await self.pilot.pause(0.01)
        state = self.app.state
        raise AssertionError(f"still {state.lesson.settings}, {state.news}, {self.last_seen}")

    @property
    def last_seen(self) -> object:
        """What a failure shows beside the settings and the news."""
        return self.app.state.log[-5:]
