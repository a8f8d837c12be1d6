"""How long plain steps take and what their loss is, without waiting for the device."""

from __future__ import annotations

import time
from collections import deque
from typing import Protocol, TypeAlias

import torch
from torch import Tensor

# An event takes a microsecond or two to record: rarely enough, that is nothing.
EVENT_SECONDS = 0.01


# The seconds of a step and its images.
StepTime: TypeAlias = tuple[float, int]


class Stopwatch(Protocol):
    """Times a step; its time is known at once or some time later."""

    def start(self) -> None:
        """A plain step begins."""

    def stop(self, images: int) -> None:
        """It has ended; it was on so many images."""

    def known(self) -> list[StepTime]:
        """The seconds and the images of the steps that have become known since last asked."""


class HostStopwatch:
    """For a device that has ended a step when the host has."""

    def __init__(self) -> None:
        self._known: list[StepTime] = []

    def start(self) -> None:
        """A plain step begins."""
        self._began = time.perf_counter()

    def stop(self, images: int) -> None:
        """It has ended; it was on so many images."""
        self._known.append((time.perf_counter() - self._began, images))

    def known(self) -> list[StepTime]:
        """The seconds and the images of the steps that have become known since last asked."""
        known, self._known = self._known, []
        return known


class EventStopwatch:
    """For a CUDA device, which goes on for itself: events among its work tell the time.

    One step in `EVENT_SECONDS` is timed.
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
        """It has ended; it was on so many images."""
        if self._began is not None:
            self._pending.append((self._began, _event(), images))

    def known(self) -> list[StepTime]:
        """The seconds and the images of the steps that have become known since last asked."""
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
    """Mean over the plain steps since it was last read; what was read stays until there are new."""

    def __init__(self) -> None:
        self.step_seconds: float | None = None
        self.samples_per_second: float | None = None

    def read(self, steps: list[StepTime]) -> None:
        """Take in the steps that became known."""
        if steps:
            seconds = sum(taken for taken, _ in steps)
            self.step_seconds = seconds / len(steps)
            self.samples_per_second = sum(images for _, images in steps) / seconds


class Fetch:
    """A loss on its way to the host, which need not wait for it."""

    def __init__(self, loss: Tensor) -> None:
        self._event: torch.cuda.Event | None = None
        self._value = loss
        if loss.device.type == "cuda":
            # Into pinned memory, so that the copy is one more piece of the device's work.
            self._value = loss.to("cpu", non_blocking=True)
            self._event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._event.record()

    def arrived(self) -> bool:
        """Whether the loss can be read without waiting."""
        return self._event is None or bool(self._event.query())  # type: ignore[no-untyped-call]

    def value(self) -> float:
        """The loss, waited for where it has not arrived."""
        if self._event is not None:
            self._event.synchronize()
        return self._value.item()
