"""One training run of a worker: what its messages have said so far."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from statistics import median

from vramtop.protocol.lesson.messages import (
    Configured,
    Evaluated,
    LessonEnded,
    LessonMeasured,
    LessonOutOfMemory,
    LessonSample,
    Noise,
    WouldFit,
)
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import Failed, Hello
from vramtop.protocol.split import Split
from vramtop.protocol.wire.framing import FromWorker
from vramtop.tui.terminal.exits import BAD_USAGE, FAILED
from vramtop.tui.terminal.output import complain, say
from vramtop.tui.words.wording import missing
from vramtop.tui.worker.endings import gone
from vramtop.tui.worker.link import WorkerGone, WorkerLine
from vramtop.tui.worker.process import Worker


@dataclass
class Run:
    """What is known of a run.

    `measured` is the first settled measurement of a step on a full batch; until there is one, the
    latest. Later ones may count bytes that the allocator took for test data. `end` is the message
    that ended the run; it is `out_of_memory` once `would_fit` is known. `killed` says that the
    worker was killed; the out of memory is then only probable. `seconds` is the time of the whole
    run, measured by whoever follows it.
    """

    hello: Hello | None = None
    configured: Configured | None = None
    sample: LessonSample | None = None
    measured: LessonMeasured | None = None
    evaluated: Evaluated | None = None
    noise: Noise | None = None
    out_of_memory: LessonOutOfMemory | None = None
    would_fit: WouldFit | None = None
    end: LessonEnded | LessonOutOfMemory | None = None
    step_seconds: list[float] = field(default_factory=list)
    seconds: float | None = None
    killed: bool = False

    def add(self, message: FromWorker) -> None:
        """Take one message in."""
        match message:
            case Hello():
                self.hello = message
            case Configured():
                self.configured = message
                self.sample = self.measured = self.evaluated = self.noise = self.end = None
                self.out_of_memory = self.would_fit = None
                self.step_seconds = []
            case LessonSample():
                self._add_sample(message)
            case LessonMeasured():
                size = self.configured.settings.effective_batch if self.configured else None
                if message.batch_size == size and not (self.measured and self.measured.settled):
                    self.measured = message
            case Evaluated():
                self.evaluated = message
            case Noise():
                # A later one may be too noisy to tell a scale.
                if message.scale is not None or self.noise is None or self.noise.scale is None:
                    self.noise = message
            case LessonEnded():
                self.end = message
            case LessonOutOfMemory() if message.phase != "evaluation":
                self.out_of_memory = message
            case WouldFit():
                self.would_fit = message
                self.end = self.out_of_memory
            case _:
                pass

    def kill(self, settings: Settings, error: str) -> None:
        """End the run as probably out of memory: the worker was killed with these settings."""
        self.killed = True
        self.end = LessonOutOfMemory(
            batch_size=settings.batch_size,
            accumulation=settings.accumulation,
            needed=None,
            limit=None,
            phase=None,
            operator="",
            split=Split(),
            restored=None,
            detail=error,
        )

    def _add_sample(self, sample: LessonSample) -> None:
        new = self.sample is None or sample.step_seconds != self.sample.step_seconds
        full = self.configured and sample.batch_size == self.configured.settings.effective_batch
        if sample.step_seconds is not None and new and full:
            self.step_seconds.append(sample.step_seconds)
        self.sample = sample

    @property
    def median_step_seconds(self) -> float | None:
        """The median time of plain steps on full batches; None if there was none."""
        return median(self.step_seconds) if self.step_seconds else None

    @property
    def samples_per_second(self) -> float | None:
        """Images a second, by the median time of a step; None if that is not known."""
        if self.configured is None or self.median_step_seconds is None:
            return None
        return self.configured.settings.effective_batch / self.median_step_seconds


class WorkerFailed(Exception):
    """The worker could not go on; `usage` says that its settings were wrong."""

    def __init__(self, error: str, *, usage: bool = False) -> None:
        super().__init__(error)
        self.exit_code = BAD_USAGE if usage else FAILED


class WorkerKilled(WorkerFailed):
    """The worker was killed, probably for lack of memory."""


async def follow(worker: Worker) -> AsyncIterator[FromWorker]:
    """All messages of the worker. The lines that it prints are written to stderr.

    Ends with the worker, if that was asked to stop. Raises `WorkerFailed` if it ends otherwise, or
    if it says that it cannot go on.
    """
    async for envelope in worker.messages():
        message = envelope.message
        if isinstance(message, WorkerLine):
            say(message.text)
        elif isinstance(message, WorkerGone):
            if not worker.stopping:
                kind = WorkerKilled if message.killed else WorkerFailed
                raise kind(_end(message))
        elif isinstance(message, Failed):
            raise WorkerFailed(message.error, usage=message.usage)
        else:
            if isinstance(message, Hello) and (reason := missing(message.device)):
                complain(reason)
            yield message


def _end(message: WorkerGone) -> str:
    """How a worker ended that nobody had asked to stop."""
    if message.exit_code == 0:
        return "the worker ended before its training did"
    last = f"; its last line: {message.lines[-1]}" if message.lines else ""
    return f"{gone(message)}{last}"
