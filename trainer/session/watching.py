"""When a step is looked at, and how one that is walked through phase by phase is held."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType

from typing_extensions import Self
from vramtop.observer.ledger import Recording
from vramtop.protocol.split import Phase, Split

OBSERVE_SECONDS = 0.5
SETTLED = 2


class Schedule:
    """Which steps are instrumented: those right after a change, then one in `OBSERVE_SECONDS`.

    A setting is settled after two full steps, since an optimizer's state exists only from the
    second step on. From then on a plain step always comes between two instrumented ones, so that
    even steps longer than the interval are timed without instruments. A step that adds up batches
    has so many times the operators to look at, and is looked at so many times more rarely.
    """

    def __init__(self, accumulation: int) -> None:
        self._interval = accumulation * OBSERVE_SECONDS
        self._full_steps = 0
        self._plain_since = False
        self._last = 0.0

    @property
    def settled(self) -> bool:
        """Whether a full step has been seen that began with the optimizer's state in place."""
        return self._full_steps >= SETTLED

    def unsettle(self, accumulation: int) -> None:
        """A change: what was seen so far says nothing of what comes."""
        self._interval = accumulation * OBSERVE_SECONDS
        self._full_steps = 0

    def due(self, *, full: bool) -> bool:
        """Whether the coming step, `full` unless it is an epoch's short last, is to be seen."""
        if not self.settled:
            return True
        return full and self._plain_since and time.monotonic() - self._last >= self._interval

    def passed(self, *, full: bool, seen: bool) -> None:
        """A step has ended."""
        self._plain_since = not seen
        if seen:
            self._full_steps += full
            self._last = time.monotonic()


class PausingRecording:
    """A recording that waits at every boundary inside the step.

    `hold` is told the phase, the split there, and which of the step's batches it belongs to.
    """

    def __init__(self, recording: Recording, hold: Callable[[Phase, Split, int], None]) -> None:
        self._recording = recording
        self._hold = hold
        self._part = 0  # of the step's batches, the one that was loaded last
        self._phase: Phase | None = None

    def expect(self, size: int) -> None:
        """A batch of `size` bytes is about to be made."""
        self._recording.expect(size)

    def aside(self) -> AbstractContextManager[None]:
        """A batch is made on the host."""
        return self._recording.aside()

    def begin(self, phase: Phase) -> None:
        """Wait at the end of the phase before, then begin this one."""
        if self._phase is not None:
            self._hold(self._phase, self._recording.split(), self._part)
        self._part += phase == "load"
        self._phase = phase
        self._recording.begin(phase)

    def loss(self) -> None:
        """The forward phase comes to the loss."""
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
