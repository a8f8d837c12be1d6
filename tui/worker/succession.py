"""A training that outlives its worker: one worker after another behind one link.

Only the end of a process frees its CUDA context. So a training that moves to another device goes on
in a new process, from a snapshot. After a worker's death it goes on in the same way.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from msgspec.structs import replace
from vramtop.protocol.commands import SLOW_SECONDS, Pace, Pause, SlowMotion
from vramtop.protocol.lesson.commands import GoOn, HandOver
from vramtop.protocol.lesson.messages import Configured
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.lesson.shelf import Kept, Shelf
from vramtop.protocol.messages import Answer, Failed, Flow, Measured, OutOfMemory, Sample
from vramtop.protocol.wire.envelope import Envelope, Stamp
from vramtop.protocol.wire.framing import ToWorker

from .link import Received, WorkerLine
from .process import Worker, start_worker

# Command numbers that are not the screen's, which begin with 1. An answer to `_MOVE` is for the
# screen; answers to the other two are not passed on.
_MOVE, _HAND_OVER, _QUIET = 0, -1, -2


class Succession:
    """A link to a `first` worker, and to the workers that take its training over.

    `start` starts another worker with these settings and this shelf. Its third argument says
    whether that worker goes on from the latest snapshot, the fourth is when the session began, by
    `time.monotonic()`: with the first worker.
    """

    def __init__(
        self,
        settings: Settings,
        shelf: Shelf,
        start: Callable[[Settings, Shelf, bool, float], Awaitable[Worker]],
        first: Worker,
    ) -> None:
        self._settings = settings
        self._shelf = shelf
        self._start = start
        self._worker = first
        self._stamp = Stamp(first.began)  # of what the monitor says itself
        self._coming: Worker | None = None
        self._destination: str | None = None
        self._restart = asyncio.Event()
        # Commands sent during a move that are not answered yet; the successor gets them too.
        self._unanswered: dict[int, ToWorker] = {}
        self._flow = Flow(paused=False, slow=False)
        self._pace: Pace | None = None
        self._slow_seconds = SLOW_SECONDS

    @property
    def kept(self) -> Kept | None:
        """The latest snapshot, from which a `restart` goes on; None if there is none."""
        return self._shelf.latest()

    def send(self, command: ToWorker) -> None:
        """Send a command to the worker, and again to a successor if it is not answered by then."""
        if isinstance(command, Pace):
            self._pace = command
        if isinstance(command, SlowMotion):
            self._slow_seconds = command.seconds
        number = getattr(command, "command", None)
        if self._destination is not None and number is not None:
            self._unanswered[number] = command
        self._worker.send(command)

    def move(self, device: str) -> None:
        """Continue the training on another device, in another process.

        If that process does not start or runs out of memory, the training stays where it is, and an
        `Answer` says why.
        """
        if self._destination is None:
            self._destination = device
            self._worker.send(HandOver(_HAND_OVER))

    def restart(self) -> None:
        """After `WorkerGone`: start another worker, from the latest snapshot if there is one."""
        self._restart.set()

    async def messages(self) -> AsyncIterator[Envelope[Received]]:
        """All that the workers say, in order; after `WorkerGone` comes what a `restart` brings."""
        while True:
            worker = self._worker
            async for envelope in worker.messages():
                message = envelope.message
                if isinstance(message, Answer) and message.command in (_HAND_OVER, _QUIET):
                    if message.command == _HAND_OVER:
                        for said in await self._hand_over(message.error):
                            yield said
                    if self._worker is not worker:
                        break
                    continue
                self._hear(message)
                yield envelope
            while self._worker is worker:
                try:
                    await self._begin_again()
                except OSError as error:
                    failed = Failed(f"the worker does not start: {error}", usage=False)
                    yield self._stamp.envelope(failed)

    def _hear(self, message: Received) -> None:
        if isinstance(message, Answer):
            self._unanswered.pop(message.command, None)
        if isinstance(message, Flow):
            self._flow = message

    async def _hand_over(self, refusal: str | None) -> list[Envelope[Received]]:
        """Start the successor of a worker that rests; returns the messages for the monitor.

        The worker goes on if its successor cannot.
        """
        destination, here = self._destination or "", self._worker
        kept = self.kept
        if refusal is not None or kept is None:
            self._destination = None
            return [self._stamp.envelope(Answer(_MOVE, f"the training cannot move: {refusal}"))]
        try:
            settings = replace(kept.settings, device=destination)
            began = self._stamp.began
            coming = self._coming = await self._start(settings, self._shelf, True, began)
        except OSError as error:
            said: list[Envelope[Received]] = []
            reason: str | None = f"the worker does not start: {error}"
        else:
            self._prepare(coming)
            said, reason = await self._begun(coming, destination)
        self._destination, self._coming = None, None
        if reason is not None:
            here.send(GoOn(_QUIET))
            lines = [line for line in said if isinstance(line.message, WorkerLine)]
            stays = Answer(_MOVE, f"{reason}; the training stays on {kept.settings.device}")
            return [*lines, self._stamp.envelope(stays)]
        await here.close()
        self._worker = coming
        for command in self._unanswered.values():
            coming.send(command)
        return said

    async def _begun(
        self, worker: Worker, destination: str
    ) -> tuple[list[Envelope[Received]], str | None]:
        """The messages of a successor until its training runs; and the reason, if it ends before.

        It runs once a step has fitted, or once it is paused as the worker before it was.
        """
        said: list[Envelope[Received]] = []
        reason = f"{destination}: the worker ended"
        async for envelope in worker.messages():
            message = envelope.message
            if isinstance(message, Answer) and message.command == _QUIET:
                continue
            said.append(envelope)
            match message:
                case Configured() if self._flow.paused:
                    return said, None
                case Measured() | Sample():
                    return said, None
                case OutOfMemory(phase=phase) if phase != "evaluation":
                    reason = f"{destination} has no room for a step"
                    break
                case Failed(error=error):
                    reason = error
                    break
                case _:
                    pass
        await worker.close()
        return said, reason

    async def _begin_again(self) -> None:
        """Wait for `restart`, then start a worker in place of the one that is gone."""
        await self._restart.wait()
        self._restart.clear()
        await self._worker.close()
        self._destination = None
        self._unanswered.clear()
        kept = self.kept
        settings = kept.settings if kept else self._settings
        worker = await self._start(settings, self._shelf, kept is not None, self._stamp.began)
        self._prepare(worker)
        self._worker = worker

    def _prepare(self, worker: Worker) -> None:
        """Give a new worker the pace, slow motion and pause of the one before it."""
        if self._pace is not None:
            worker.send(replace(self._pace, command=_QUIET))
        if self._flow.slow:
            worker.send(SlowMotion(_QUIET, slow=True, seconds=self._slow_seconds))
        if self._flow.paused:
            worker.send(Pause(_QUIET, paused=True))

    async def close(self) -> None:
        """End the workers, and delete the snapshots."""
        for worker in filter(None, (self._coming, self._worker)):
            await worker.close()
        self._shelf.close()


async def begin(settings: Settings) -> Succession:
    """A training with these settings in a worker of its own.

    Raises `OSError` where no worker can be started.
    """
    shelf = Shelf.make()
    try:
        first = await _start(settings, shelf, False, time.monotonic())
    except OSError:
        shelf.close()
        raise
    return Succession(settings, shelf, _start, first)


async def _start(settings: Settings, shelf: Shelf, resume: bool, began: float) -> Worker:
    return await start_worker(settings, shelf=shelf, resume=resume, began=began)
