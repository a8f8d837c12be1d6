"""What a recorder of allocations can do, whichever way it sees them."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

import torch
from torch import UntypedStorage

from .lines import Lines


class Reading(NamedTuple):
    """A place, and what the allocator has there, in bytes; None where it does not tell."""

    place: int
    requested: int | None = None
    allocated: int | None = None
    reserved: int | None = None


class Recorded(NamedTuple):
    """All allocations and releases of a window on one device, in order, and the blocks at its end.

    A release has a negative size. `lines` has the number of the line that allocated, -1 if unknown.
    Of the blocks: size by address, and the line that allocated, where it is known.
    """

    addresses: list[int]
    sizes: list[int]
    lines: list[int]
    blocks: dict[int, int]
    block_lines: dict[int, int]


class CannotRecord(Exception):
    """Allocations cannot be recorded now, or were not completely; the message says why."""


class Recorder(Protocol):
    """Records allocations and releases on `devices`, between `start` and `stop`.

    `seconds` is what its own code has taken of the program's operators so far.
    """

    devices: list[torch.device]
    source: Literal["trace", "operators"]
    seconds: float

    def start(self) -> None:
        """Begin. Raises `CannotRecord`."""

    def read(self, device: torch.device, /) -> Reading:
        """The place now, and the allocator's figures."""

    def address(self, storage: UntypedStorage, *, older: bool) -> int:
        """The address by which events name this memory.

        `older` says whether memory that was not seen before is older than the window.
        """

    def pause(self) -> None:
        """Let nothing record that a forked child could not end, in the thread that forks."""

    def resume(self) -> None:
        """Go on after `pause`, in the parent. Raises `CannotRecord`."""

    def so_far(self) -> Recorder | None:
        """What is recorded until now, while this one goes on; None where that cannot be told.

        Raises `CannotRecord`.
        """

    def stop(self) -> None:
        """End, in the thread that has begun. It is quick; `recorded` does the rest."""

    def forget(self) -> None:
        """In a forked child: take out what was put into PyTorch, and leave CUDA alone."""

    def recorded(self, device: torch.device, /, lines: Lines) -> Recorded:
        """What there was. Raises `CannotRecord` where that is not complete."""
