"""Commands that any worker obeys. `command` is a number that the worker's `Answer` repeats."""

from __future__ import annotations

from vramtop.protocol.messages import Message

SLOW_SECONDS = 1.5


class Pause(Message, frozen=True, tag="pause"):
    """Hold the program at the next boundary, or let it continue."""

    command: int
    paused: bool


class Advance(Message, frozen=True, tag="advance"):
    """Run one phase, then pause."""

    command: int


class SlowMotion(Message, frozen=True, tag="slow_motion"):
    """Wait `seconds` at every boundary; `slow` False ends that."""

    command: int
    slow: bool
    seconds: float = SLOW_SECONDS


class GiveBack(Message, frozen=True, tag="give_back"):
    """Give the allocator's cache back to the driver. A `Note` says how many bytes that was."""

    command: int


class Pace(Message, frozen=True, tag="pace"):
    """Send messages that are not urgent, such as samples, at most once in `seconds`.

    Without this command a worker uses `PACE_SECONDS`.
    """

    command: int
    seconds: float


class Stop(Message, frozen=True, tag="stop"):
    """End the session."""
