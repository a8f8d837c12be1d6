"""The commands that a session receives while it trains, and the pace that they set."""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Callable
from typing import TypeAlias, Union

from vramtop.protocol.commands import Advance, GiveBack, Pace, Pause, SlowMotion, Stop
from vramtop.protocol.lesson.commands import (
    CallOff,
    Change,
    Compare,
    FindLargest,
    GoOn,
    HandOver,
    Predict,
    Reset,
    ShowImage,
    Start,
)
from vramtop.protocol.messages import Answer, Flow
from vramtop.protocol.wire.framing import ToWorker

from .outbox import Outbox

# Commands that concern the settings; they are taken between two steps.
Waiting: TypeAlias = Union[Change, Reset, FindLargest, Compare, HandOver]


class StopSession(Exception):
    """The monitor has stopped the session, or is gone."""


class CalledOff(Exception):
    """The present search or comparison was called off."""


class Conversation:
    """Takes commands from an inbox and answers them to an outbox.

    Commands about the pace are obeyed at once. Those about the settings wait in `changes`. Those
    that do not touch the training (give the cache back, show an image) go to `aside`. `Stop`, or a
    None in the inbox, raises `StopSession` from the method that takes it.
    """

    def __init__(
        self,
        inbox: queue.SimpleQueue[ToWorker | None],
        outbox: Outbox,
        aside: Callable[[GiveBack | ShowImage], None],
    ) -> None:
        self._inbox = inbox
        self._outbox = outbox
        self._aside = aside
        self.paused = False
        self.slow = False
        self._slow_seconds = 0.0
        self._phases = 0  # how many more phases a paused training may take
        self.changes: deque[Waiting] = deque()
        self.called_off = False
        self.handing_over = False  # the training rests: another process may take it over

    @property
    def silent(self) -> bool:
        """Whether the inbox is empty."""
        return self._inbox.empty()

    @property
    def walking(self) -> bool:
        """Whether steps are walked through phase by phase."""
        return self.paused or self.slow

    def listen(self) -> None:
        """Take the commands that have arrived, without waiting."""
        while not self._inbox.empty():
            self._hear(self._inbox.get())

    def heed(self) -> None:
        """Like `listen`; raises `CalledOff` if a command ends the present search or comparison."""
        self.listen()
        if self.called_off or self.changes:
            raise CalledOff

    def wait(self) -> None:
        """Wait for one command and take it."""
        self._hear(self._inbox.get())

    def may_go(self) -> bool:
        """Whether the training may go on; if it is paused, this uses up one phase."""
        if self.handing_over or (self.paused and not self._phases):
            return False
        self._phases = max(0, self._phases - 1)
        return True

    def hold(self) -> None:
        """Wait at a boundary inside a step, as long as the pace requires."""
        self.linger()
        while not self.may_go():
            self.wait()

    def linger(self) -> None:
        """Wait for the time of slow motion; a command about the pace may end it early."""
        end = time.monotonic() + self._slow_seconds
        while self.slow and not self.paused and (left := end - time.monotonic()) > 0:
            try:
                self._hear(self._inbox.get(timeout=left))
            except queue.Empty:
                return

    def _hear(self, command: ToWorker | None) -> None:
        match command:
            case None | Stop() | Start():
                raise StopSession
            case Change() | Reset() | FindLargest() | Compare() | HandOver():
                self.changes.append(command)
                return
            case Predict():
                text = "a worker that trains predicts by itself what comes next"
                self._outbox.post(Answer(command.command, text))
                return
            case ShowImage():
                self._aside(command)
                return
            case GiveBack():
                self._aside(command)
            case CallOff():
                self.called_off = True
            case GoOn():
                self.handing_over = False
            case Pace():
                self._outbox.pace = command.seconds
            case Pause():
                self.paused, self._phases = command.paused, 0
            case Advance():
                self.paused, self._phases = True, self._phases + 1
            case SlowMotion():
                self.slow, self._slow_seconds = command.slow, command.seconds
        self._outbox.post(Answer(command.command, None))
        self._outbox.post(Flow(self.paused, self.slow))
