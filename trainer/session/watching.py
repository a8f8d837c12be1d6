"""Which steps are recorded, and how a walked step pauses at its boundaries."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType

from typing_extensions import Self
from vramtop.protocol.split import Phase, Split
from vramtop.trainer.training.ledger import RecordedStep

OBSERVE_SECONDS = 0.5
SETTLED = 2


class Schedule:
    """Decides which steps are recorded: those right after a change, then one in `OBSERVE_SECONDS`.

    Settings are settled after two full recorded steps, since the optimizer's state exists only from
    the second step on. After that, a plain step always comes between two recorded ones, so that
    even steps longer than the interval are timed without recording. A step that accumulates batches
    has proportionally more operators, so it is recorded proportionally less often.
    """

    def __init__(self, accumulation: int) -> None:
        self._interval = accumulation * OBSERVE_SECONDS
        self._full_steps = 0
        self._plain_since = False
        self._last = 0.0

    @property
    def settled(self) -> bool:
        """Whether a full step was recorded that began with the optimizer's state in place."""
        return self._full_steps >= SETTLED

    def unsettle(self, accumulation: int) -> None:
        """Record the coming steps after a change, until the settings have settled again."""
        self._interval = accumulation * OBSERVE_SECONDS
        self._full_steps = 0

    def due(self, *, full: bool) -> bool:
        """Whether to record the coming step; `full` is False for an epoch's short last one."""
        if not self.settled:
            return True
        return full and self._plain_since and time.monotonic() - self._last >= self._interval

    def passed(self, *, full: bool, recorded: bool) -> None:
        """A step has ended; it may have been `recorded`."""
        self._plain_since = not recorded
        if recorded:
            self._full_steps += full
            self._last = time.monotonic()


class PausingRecording:
    """A recording that pauses at every boundary inside the step.

    `hold` is called there with the phase that ends, the split, and the number of the step's batch.
    """

    def __init__(self, recording: RecordedStep, hold: Callable[[Phase, Split, int], None]) -> None:
        self._recording = recording
        self._hold = hold
        self._part = 0  # the number of the batch that was loaded last, from 1
        self._phase: Phase | None = None

    def expect(self, size: int) -> None:
        """A batch of `size` bytes is about to be made."""
        self._recording.expect(size)

    def aside(self) -> AbstractContextManager[None]:
        """A batch is made on the host."""
        return self._recording.aside()

    def begin(self, phase: Phase) -> None:
        """Pause at the end of the previous phase, then begin this one."""
        if self._phase is not None:
            self._hold(self._phase, self._recording.split(), self._part)
        self._part += phase == "load"
        self._phase = phase
        self._recording.begin(phase)

    def loss(self) -> None:
        """The rest of the forward phase computes the loss."""
        self._recording.loss()

    def batch(self, **named: object) -> None:
        """These tensors are the batch."""
        self._recording.batch(**named)

    def __enter__(self) -> Self:
        self._recording.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._recording.__exit__(kind, error, traceback)
