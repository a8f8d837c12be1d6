"""The pace of a walk through the moments of a recorded step. Pure: it is told the time."""

from __future__ import annotations

import msgspec
from vramtop.protocol.commands import SLOW_SECONDS

# Slow motion holds a boundary longer than the walk to it takes, so that it is seen too.
WALK_SECONDS = 0.8 * SLOW_SECONDS
MOMENT_SECONDS = 0.2  # for one moment at most: where there are few, the walk is short
FRAME_SECONDS = 1 / 15


class Walk(msgspec.Struct, frozen=True):
    """A walk from one place in the curve to another; both are shown."""

    first: int
    last: int

    @property
    def seconds(self) -> float:
        """How long it takes."""
        return min(WALK_SECONDS, self._count * MOMENT_SECONDS)

    def at(self, elapsed: float) -> int:
        """The place after `elapsed` seconds; from the end on, the last one."""
        passed = int(elapsed / self.seconds * self._count)
        return min(self.last, self.first + passed)

    def wait(self, elapsed: float) -> float:
        """How many seconds later the next place is due."""
        passed = self.at(elapsed) + 1 - self.first
        return max(FRAME_SECONDS, passed * self.seconds / self._count - elapsed)

    @property
    def _count(self) -> int:
        return self.last - self.first + 1
