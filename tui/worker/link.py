"""The worker as the screen sees it: a process, several one after another, or a test's script."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from typing import Protocol

import msgspec
from vramtop.protocol.gpus import GpusReport
from vramtop.protocol.lesson.shelf import Kept
from vramtop.protocol.observed.driver import DriverSum
from vramtop.protocol.observed.record import Input, Kind
from vramtop.protocol.observed.report import Layer, Line
from vramtop.protocol.observed.shapes import Room, Shapes
from vramtop.protocol.split import Category
from vramtop.protocol.wire.envelope import Envelope
from vramtop.protocol.wire.framing import FromWorker, ToWorker


class WorkerLine(msgspec.Struct, frozen=True):
    """A line that the worker printed; `again` tells that it takes the place of the one before."""

    text: str
    again: bool = False


class WorkerGone(msgspec.Struct, frozen=True):
    """The worker has ended; `exit_code` is minus the signal's number if a signal ended it.

    `lines` are the last that it printed. `batch_size` is the one that it tried last, None if it
    had none yet.
    """

    exit_code: int
    lines: tuple[str, ...]
    batch_size: int | None = None

    @property
    def killed(self) -> bool:
        """Whether SIGKILL ended it, which the kernel sends when memory runs out."""
        return self.exit_code == -signal.SIGKILL


class Entering(msgspec.Struct, frozen=True):
    """From the GPUs, somebody wants to look inside this process; it has no screen yet."""

    pid: int
    command: str | None


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """Which program is watched, and what watching costs.

    `device` is the one that is shown, empty before a step was recorded; `devices` are all on which
    one was. The ranks are None outside a distributed training. `kind` and `inputs` are those of the
    latest step that was recorded, `kind` is None before. Where nobody counts steps or calls, so
    many were watched as `uncounted` says. Of the `seconds` for which it is watched, watching took
    `spent`; both are None before it said so. `trouble` is why the latest step could not be
    recorded. `started` tells that vramtop has started the program, and so shows its output.
    """

    program: str
    pid: int
    rank: int | None = None
    world_size: int | None = None
    kind: Kind | None = None
    inputs: tuple[Input, ...] = ()
    uncounted: int | None = None
    seconds: float | None = None
    spent: float | None = None
    trouble: str = ""
    started: bool = False
    device: str = ""
    devices: tuple[str, ...] = ()


class AwaitsInput(msgspec.Struct, frozen=True):
    """The program `waits` for what somebody types on its terminal, or does so no more."""

    waits: bool


class Modules(msgspec.Struct, frozen=True):
    """What belongs to each module and line of a watched program, by the latest recorded step.

    `notes` are what more there is to say of a category, each in fewer and fewer words.
    """

    layers: tuple[Layer, ...]
    lines: tuple[Line, ...] = ()
    notes: dict[Category, tuple[str, ...]] = {}


class ShapesSeen(msgspec.Struct, frozen=True):
    """What the shapes of a watched program's steps took, and the room for more, where known."""

    shapes: Shapes
    room: Room | None = None


class DriverSaid(msgspec.Struct, frozen=True):
    """The driver's figure for a watched program as a sum; None where it is not known."""

    sum: DriverSum | None


class Parted(msgspec.Struct, frozen=True):
    """The program is no longer watched; the reason in one line. `over` tells that it has ended."""

    reason: str
    over: bool
    trouble: bool = False


Received = (
    FromWorker
    | WorkerLine
    | WorkerGone
    | GpusReport
    | Entering
    | Watched
    | AwaitsInput
    | Modules
    | ShapesSeen
    | DriverSaid
    | Parted
)


class Watch(Protocol):
    """A sampler of the machine's GPUs."""

    def reports(self) -> AsyncIterator[GpusReport]:
        """Each report that differs from the one before, until `close`."""
        ...

    def close(self) -> None:
        """End the reports."""
        ...


class Link(Protocol):
    """A worker, as the screen sees it."""

    @property
    def kept(self) -> Kept | None:
        """The latest snapshot, from which a `restart` goes on; None if there is none."""
        ...

    def messages(self) -> AsyncIterator[Envelope[Received]]:
        """All that comes, in order; after `WorkerGone` only what a `restart` brings.

        A line that a worker prints, and its end, have the worker as their sender.
        """
        ...

    def send(self, command: ToWorker) -> None:
        """Send a command. If the worker is gone, the command is lost."""
        ...

    def move(self, device: str) -> None:
        """Continue the training on another device; if it cannot, an `Answer` says why."""
        ...

    def restart(self) -> None:
        """After `WorkerGone`, start another worker, from the latest snapshot if there is one."""
        ...

    async def close(self) -> None:
        """End the worker, and wait until it has."""
        ...
