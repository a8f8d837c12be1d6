"""The time and the loss of plain steps, without waiting for the device."""

from __future__ import annotations

import time
from collections import deque
from typing import Protocol, TypeAlias

import torch
from torch import Tensor

# The interval between timed steps. Recording an event takes one or two microseconds.
EVENT_SECONDS = 0.01


# The duration of a step in seconds, and its images.
StepTime: TypeAlias = tuple[float, int]


class Stopwatch(Protocol):
    """Times steps. A time is known at once or some time later."""

    def start(self) -> None:
        """A plain step begins."""

    def stop(self, images: int) -> None:
        """The step has ended; it took `images` images."""

    def known(self) -> list[StepTime]:
        """The times that have become known since the last call."""


class HostStopwatch:
    """For a device that computes on the host's thread: a step has ended when its calls return."""

    def __init__(self) -> None:
        self._known: list[StepTime] = []

    def start(self) -> None:
        """A plain step begins."""
        self._began = time.perf_counter()

    def stop(self, images: int) -> None:
        """The step has ended; it took `images` images."""
        self._known.append((time.perf_counter() - self._began, images))

    def known(self) -> list[StepTime]:
        """The times that have become known since the last call."""
        known, self._known = self._known, []
        return known


class EventStopwatch:
    """For a CUDA device, which works asynchronously: it is timed by events in its stream.

    At most one step is timed every `EVENT_SECONDS`.
    """

    def __init__(self) -> None:
        self._last = -EVENT_SECONDS
        self._began: torch.cuda.Event | None = None
        self._pending: deque[tuple[torch.cuda.Event, torch.cuda.Event, int]] = deque()

    def start(self) -> None:
        """A plain step begins."""
        self._began = None
        now = time.monotonic()
        if now - self._last >= EVENT_SECONDS:
            self._last, self._began = now, _event()

    def stop(self, images: int) -> None:
        """The step has ended; it took `images` images."""
        if self._began is not None:
            self._pending.append((self._began, _event(), images))

    def known(self) -> list[StepTime]:
        """The times that have become known since the last call."""
        known: list[StepTime] = []
        while self._pending and self._pending[0][1].query():  # type: ignore[no-untyped-call]
            began, ended, images = self._pending.popleft()
            known.append((began.elapsed_time(ended) / 1000, images))
        return known


def _event() -> torch.cuda.Event:
    event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    event.record()
    return event


def stopwatch(device: torch.device) -> Stopwatch:
    """The stopwatch for a device."""
    return EventStopwatch() if device.type == "cuda" else HostStopwatch()


class Mean:
    """Means over the plain steps of the latest reading; they stay until there are new steps."""

    def __init__(self) -> None:
        self.step_seconds: float | None = None
        self.samples_per_second: float | None = None

    def read(self, steps: list[StepTime]) -> None:
        """Replace the means by those of these steps, if there are any."""
        if steps:
            seconds = sum(taken for taken, _ in steps)
            self.step_seconds = seconds / len(steps)
            self.samples_per_second = sum(images for _, images in steps) / seconds


class Fetch:
    """Copies a loss to the host without waiting for it."""

    def __init__(self, loss: Tensor) -> None:
        self._event: torch.cuda.Event | None = None
        self._value = loss
        if loss.device.type == "cuda":
            # The device makes this copy after the work that was queued before it.
            self._value = loss.to("cpu", non_blocking=True)
            self._event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._event.record()

    def arrived(self) -> bool:
        """Whether the loss can be read without waiting."""
        return self._event is None or bool(self._event.query())  # type: ignore[no-untyped-call]

    def value(self) -> float:
        """The loss; waits for it if it has not arrived."""
        if self._event is not None:
            self._event.synchronize()
        return self._value.item()
