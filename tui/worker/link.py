"""What the screen asks of whatever stands behind it: a worker process, or a script in a test."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from typing import Protocol

import msgspec
from vramtop.protocol.gpus import CardsReport
from vramtop.protocol.lesson.shelf import Kept
from vramtop.protocol.wire.envelope import Envelope
from vramtop.protocol.wire.framing import FromWorker, ToWorker


class WorkerLine(msgspec.Struct, frozen=True):
    """A line that the worker printed."""

    text: str


class WorkerGone(msgspec.Struct, frozen=True):
    """The worker has ended; `exit_code` is minus the signal's number where one ended it.

    `batch_size` is the one that it was told or said to try last, None before there was any.
    """

    exit_code: int
    lines: tuple[str, ...]
    batch_size: int | None = None

    @property
    def killed(self) -> bool:
        """Whether it was ended as the kernel does where there is no more memory."""
        return self.exit_code == -signal.SIGKILL


Received = FromWorker | WorkerLine | WorkerGone | CardsReport


class Watch(Protocol):
    """Whoever looks at the machine's GPUs."""

    def reports(self) -> AsyncIterator[CardsReport]:
        """Each report that says something new, until it is closed."""
        ...

    def close(self) -> None:
        """Look no more."""
        ...


class Link(Protocol):
    """A worker, as the screen sees it."""

    @property
    def kept(self) -> Kept | None:
        """The latest snapshot, from which a `restart` goes on; None where there is none."""
        ...

    def messages(self) -> AsyncIterator[Envelope[Received]]:
        """All that comes, in order; after `WorkerGone` only what a `restart` brings.

        A line that a worker prints, and its end, have the worker as their sender.
        """
        ...

    def send(self, command: ToWorker) -> None:
        """Send a command; one to a worker that is gone is lost with it."""
        ...

    def move(self, device: str) -> None:
        """Let the training go on on another device; where it cannot, an `Answer` says why."""
        ...

    def restart(self) -> None:
        """After `WorkerGone`, let another worker go on from the latest snapshot."""
        ...

    async def close(self) -> None:
        """End the worker, and wait until it has."""
        ...
