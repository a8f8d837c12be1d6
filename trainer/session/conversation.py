"""What a session is told while it trains, and the pace that it is told to keep."""

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

# What has to do with the settings, and is taken between two steps.
Waiting: TypeAlias = Union[Change, Reset, FindLargest, Compare, HandOver]


class StopSession(Exception):
    """The monitor wants no more, or is gone."""


class CalledOff(Exception):
    """Somebody wants no answer any more."""


class Conversation:
    """Commands out of an inbox, None once nobody is there to send any; answers into an outbox.

    What concerns the pace is obeyed at once, what concerns the settings waits in `changes`, and
    the rest is `aside`'s: whether the cache is given back or an image is shown, the training has
    nothing to do with it. Whatever listens may raise `StopSession`.
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
        self._phases = 0  # how many phases a paused training may still go
        self.changes: deque[Waiting] = deque()
        self.called_off = False
        self.handing_over = False  # the training rests until it is known who goes on with it

    @property
    def silent(self) -> bool:
        """Whether nothing has come that was not heard yet."""
        return self._inbox.empty()

    @property
    def walking(self) -> bool:
        """Whether steps are gone through phase by phase."""
        return self.paused or self.slow

    def listen(self) -> None:
        """Hear what has come."""
        while not self._inbox.empty():
            self._hear(self._inbox.get())

    def heed(self) -> None:
        """Hear what has come; raises `CalledOff` where that ends a search or a comparison."""
        self.listen()
        if self.called_off or self.changes:
            raise CalledOff

    def wait(self) -> None:
        """Hear one command, however long it takes to come."""
        self._hear(self._inbox.get())

    def may_go(self) -> bool:
        """Whether the training may go on, for one phase if it is paused, which is then used up."""
        if self.handing_over or (self.paused and not self._phases):
            return False
        self._phases = max(0, self._phases - 1)
        return True

    def hold(self) -> None:
        """Wait inside a step, as long as the pace says."""
        self.linger()
        while not self.may_go():
            self.wait()

    def linger(self) -> None:
        """Let a boundary be seen in slow motion; a word about the pace may end it."""
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
                told = "a worker that trains predicts by itself what comes next"
                self._outbox.post(Answer(command.command, told))
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
