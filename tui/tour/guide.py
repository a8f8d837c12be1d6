"""Leads through the tour: asks for what a step changes, and waits until it has come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from vramtop.protocol.lesson.settings import Settings
from vramtop.tui.state.lesson.facts import known
from vramtop.tui.state.lesson.folding import begun
from vramtop.tui.state.state import State
from vramtop.tui.worker.commands import Commands

from .steps import STEPS, Script, Wait

# The settings that are restored at the tour's end.
_RESTORED = (
    "dataset",
    "batch_size",
    "accumulation",
    "optimizer",
    "learning_rate",
    "hidden",
    "budget",
)


class TourProgress(msgspec.Struct, frozen=True):
    """The step of the tour at `place`, from 0, and in `text` what it has measured so far.

    `waiting` says that more will come by itself. `enter` names what the viewer's enter brings next;
    it is empty where that is the next step. `over` says that the training has ended.
    """

    place: int
    text: str
    waiting: bool
    enter: str
    paused: bool
    over: bool


class Guide:
    """Runs the tour's steps. It sees each state, and is called for the viewer's keys.

    `commands` gives the commands to the worker, None while there is none. `settings` are those
    before the tour; they are restored at its end.
    """

    def __init__(self, settings: Settings, commands: Callable[[], Commands | None]) -> None:
        self._before = settings
        self._commands = commands
        self._state = begun(settings)
        self._place = 0
        self._script: Script | None = None
        self._wait: Wait | None = None
        self._text = ""

    @property
    def progress(self) -> TourProgress:
        """How far the tour is now."""
        wait, state = self._wait, self._state
        return TourProgress(
            place=self._place,
            text=(wait.text if wait else self._text) or self._text,
            waiting=self._script is None or (wait is not None and not wait.enter),
            enter=wait.enter if wait else "",
            paused=state.paused,
            over=state.over,
        )

    def see(self, state: State) -> None:
        """Go on if the wait is over; by one wait at most, so that each text is shown."""
        self._state = state
        if state.program is None or state.over:
            return
        if self._script is None:
            self._flow(state)
            self._script = STEPS[self._place].script(state)
            self._take(next)
        if self._wait is not None and self._wait.until(state):
            self._take(lambda script: script.send(state))

    def go_on(self) -> bool:
        """Go on to the next phase or the next step; False where there is none."""
        if self._wait is not None and self._wait.enter:
            self._ask(self._wait)
            return True
        if self._place + 1 == len(STEPS):
            return False
        self._enter(self._place + 1)
        return True

    def go_back(self) -> None:
        """Go back to the step before; at the first one, begin that again."""
        self._enter(max(0, self._place - 1))

    def end(self) -> None:
        """Restore the settings from before the tour."""
        state = self._state
        if state.program is not None and not state.over:
            self._flow(state)
            self._change({name: getattr(self._before, name) for name in _RESTORED})

    def _enter(self, place: int) -> None:
        self._place, self._text = place, ""
        self._script = self._wait = None
        self.see(self._state)

    def _flow(self, state: State) -> None:
        """Let the training run at full speed, whether it was paused or slow."""
        commands = self._commands()
        if commands is not None and state.paused:
            commands.pause()
        if commands is not None and state.slow:
            commands.slow()

    def _take(self, step: Callable[[Script], Wait]) -> None:
        """Run the script up to its next wait, or to its end."""
        assert self._script is not None
        try:
            self._wait = step(self._script)
        except StopIteration as end:
            self._wait, self._text = None, end.value
            return
        if not self._wait.enter:
            self._ask(self._wait)

    def _ask(self, wait: Wait) -> None:
        self._change(wait.change)
        commands = self._commands()
        if commands is not None and wait.advance:
            commands.advance()

    def _change(self, values: dict[str, Any]) -> None:
        """Ask for those of these settings that differ from the present ones."""
        commands, settings = self._commands(), known(self._state.lesson).settings
        if commands is None:
            return
        base = commands.base(settings)
        new = {name: value for name, value in values.items() if getattr(base, name) != value}
        if new:
            commands.change(settings, **new)
