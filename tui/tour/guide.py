"""Leads through the tour: asks for what its steps want, and waits until it is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from vramtop.protocol.lesson.settings import Settings
from vramtop.tui.state.state import State
from vramtop.tui.worker.commands import Commands

from .steps import STEPS, Script, Wait

# What is as it was before once the tour is over.
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
    """What is told: the step's `place`, from 0 on, and what has been measured in it so far.

    `waiting` says that there is more to come, and `enter`, where it is not
    empty, what the viewer's word makes come next.
    """

    place: int
    told: str
    waiting: bool
    enter: str
    paused: bool
    over: bool


class Guide:
    """Is shown each state, and told what the viewer wants; `commands` gives the way to the worker.

    `settings` come back at the end.
    """

    def __init__(self, settings: Settings, commands: Callable[[], Commands | None]) -> None:
        self._before = settings
        self._commands = commands
        self._state = State(settings)
        self._place = 0
        self._script: Script | None = None
        self._wait: Wait | None = None
        self._told = ""

    @property
    def view(self) -> TourProgress:
        """What is to be shown now."""
        wait, state = self._wait, self._state
        return TourProgress(
            place=self._place,
            told=(wait.told if wait else self._told) or self._told,
            waiting=self._script is None or (wait is not None and not wait.enter),
            enter=wait.enter if wait else "",
            paused=state.paused,
            over=state.over,
        )

    def see(self, state: State) -> None:
        """Go on where what was waited for is there; at most by one wait, so that it is seen."""
        self._state = state
        if state.configured is None or state.over:
            return
        if self._script is None:
            self._flow(state)
            self._script = STEPS[self._place].script(state)
            self._take(next)
        if self._wait is not None and self._wait.until(state):
            self._take(lambda script: script.send(state))

    def go_on(self) -> bool:
        """The next phase or the next step; False where there is none."""
        if self._wait is not None and self._wait.enter:
            self._ask(self._wait)
            return True
        if self._place + 1 == len(STEPS):
            return False
        self._enter(self._place + 1)
        return True

    def go_back(self) -> None:
        """The step before; the first one begins again."""
        self._enter(max(0, self._place - 1))

    def end(self) -> None:
        """All as it was before."""
        state = self._state
        if state.configured is not None and not state.over:
            self._flow(state)
            self._change({name: getattr(self._before, name) for name in _RESTORED})

    def _enter(self, place: int) -> None:
        self._place, self._told = place, ""
        self._script = self._wait = None
        self.see(self._state)

    def _flow(self, state: State) -> None:
        """Full speed, whatever it was before."""
        commands = self._commands()
        if commands is not None and state.paused:
            commands.pause()
        if commands is not None and state.slow:
            commands.slow()

    def _take(self, step: Callable[[Script], Wait]) -> None:
        """What the script waits for next, or says at its end."""
        assert self._script is not None
        try:
            self._wait = step(self._script)
        except StopIteration as end:
            self._wait, self._told = None, end.value
            return
        if not self._wait.enter:
            self._ask(self._wait)

    def _ask(self, wait: Wait) -> None:
        self._change(wait.change)
        commands = self._commands()
        if commands is not None and wait.advance:
            commands.advance()

    def _change(self, values: dict[str, Any]) -> None:
        """Ask for what is not so yet."""
        commands, settings = self._commands(), self._state.settings
        if commands is None:
            return
        base = commands.base(settings)
        news = {name: value for name, value in values.items() if getattr(base, name) != value}
        if news:
            commands.change(settings, **news)
