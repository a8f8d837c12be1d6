"""What any worker can be told."""

from __future__ import annotations

from vramtop.protocol.messages import Message

SLOW_SECONDS = 1.5


class Pause(Message, frozen=True, tag="pause"):
    """Hold the program at the next boundary, or let it go on."""

    command: int
    paused: bool


class Advance(Message, frozen=True, tag="advance"):
    """Pause, and go on by one phase."""

    command: int


class SlowMotion(Message, frozen=True, tag="slow_motion"):
    """Hold every boundary for so many seconds, or stop doing so."""

    command: int
    slow: bool
    seconds: float = SLOW_SECONDS


class GiveBack(Message, frozen=True, tag="give_back"):
    """Give the allocator's cache back to the driver; a `Note` tells how much that was."""

    command: int


class Pace(Message, frozen=True, tag="pace"):
    """Send what nobody waits for, such as samples, at most once in so many seconds.

    A worker that is not told does so in `PACE_SECONDS`.
    """

    command: int
    seconds: float


class Stop(Message, frozen=True, tag="stop"):
    """End the session."""
