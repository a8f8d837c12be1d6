"""A session driven through its inbox and read through its outbox."""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from vramtop.protocol.commands import Advance, Pause, Stop
from vramtop.protocol.lesson.commands import Start
from vramtop.protocol.lesson.messages import LessonEnded, LessonMeasured, LessonSample
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.lesson.shelf import Shelf
from vramtop.protocol.messages import Flow
from vramtop.protocol.wire.framing import FromWorker, ToWorker
from vramtop.trainer.data.datasets import Dataset, Library
from vramtop.trainer.session.outbox import Outbox
from vramtop.trainer.session.session import Session

WAIT_SECONDS = 60  # for one message, on a machine that is busy with other tests
UNREAD = 4  # messages that a session with `every_step` may be ahead of the test
_Message = TypeVar("_Message", bound=FromWorker)


class Driver:
    """Sends commands to a running session and waits for its messages."""

    def __init__(self, outbox: Outbox, inbox: queue.SimpleQueue[ToWorker | None]) -> None:
        self.send = inbox.put
        self.seen: list[FromWorker] = []
        self._outbox, self._fresh = outbox, list[FromWorker]()

    def until(
        self, kind: type[_Message], condition: Callable[[_Message], object] = lambda _: True
    ) -> _Message:
        """The next message of a kind for which the condition holds.

        Fails where none has come when the session ends, or in `WAIT_SECONDS`.
        """
        before = len(self.seen)
        closed = threading.Event()

        def close() -> None:
            closed.set()
            self._outbox.close()

        late = threading.Timer(WAIT_SECONDS, close)
        late.daemon = True
        late.start()
        try:
            while True:
                while self._fresh:
                    message = self._fresh.pop(0)
                    self.seen.append(message)
                    if isinstance(message, kind) and condition(message):
                        return message
                self._fresh = [envelope.message for envelope in self._outbox.take()]
                if not self._fresh:
                    break
        finally:
            late.cancel()
        came = Counter(type(message).__name__ for message in self.seen[before:])
        end = f"in {WAIT_SECONDS} s" if closed.is_set() else "before the session ended"
        raise AssertionError(
            f"no {kind.__name__} as awaited {end}; what came: {dict(came) or 'nothing'}, "
            f"the last of it {self.seen[-1:]}"
        )

    def settled(self) -> LessonMeasured:
        """The next measurement of a step whose settings have settled."""
        return self.until(LessonMeasured, lambda measured: measured.settled)

    def at_step(self, number: int) -> LessonSample:
        """The sample of this step."""
        return self.until(LessonSample, lambda sample: sample.step == number)

    def ended(self) -> LessonEnded:
        """The message that the session has taken its last step."""
        return self.until(LessonEnded)

    def pause(self, command: int = 1) -> None:
        """Pause the session, and wait until it rests."""
        self.send(Pause(command, paused=True))
        self.until(Flow, lambda flow: flow.paused)

    def all(self, kind: type[_Message]) -> list[_Message]:
        """All messages of a kind so far."""
        return [message for message in self.seen if isinstance(message, kind)]

    def walk(self, boundaries: int) -> list[LessonSample]:
        """Pause, then walk to `boundaries` boundaries inside steps; returns the sample of each."""
        self.pause()
        shown = []
        for command in range(2, 2 + boundaries):
            self.send(Advance(command))
            shown.append(self.until(LessonSample, lambda sample: sample.phase != "zero_grad"))
        return shown

    @property
    def losses(self) -> list[float | None]:
        """The losses of all samples so far."""
        return [sample.loss for sample in self.all(LessonSample)]


@contextmanager
def running(
    data: Library | Dataset,
    settings: Settings | None = None,
    *,
    shelf: Shelf | None = None,
    **start: Any,
) -> Iterator[Driver]:
    """A session on the CPU in a thread, on a library's datasets or on this one."""
    outbox = Outbox(patient=start.get("every_step", False))
    outbox.PATIENT_BACKLOG = UNREAD
    inbox = queue.SimpleQueue[ToWorker | None]()
    session = Session(
        Start(1, settings or Settings(device="cpu"), **start),
        torch.device("cpu"),
        data.load if isinstance(data, Library) else lambda _: data,
        outbox,
        inbox,
        shelf=shelf,
    )

    def run() -> None:
        try:
            session.run()
        finally:
            outbox.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield Driver(outbox, inbox)
    finally:
        inbox.put(Stop())
        outbox.close()
        thread.join(WAIT_SECONDS)
        assert not thread.is_alive(), f"the session goes on {WAIT_SECONDS} s after it was stopped"


def whole(data: Library | Dataset, settings: Settings, steps: int, **start: Any) -> Driver:
    """The driver of a session that has ended after `steps` steps, with a sample of each."""
    with running(data, settings, steps=steps, every_step=True, **start) as driver:
        driver.ended()
    return driver
