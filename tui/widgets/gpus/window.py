"""Which rows of a long list are in sight. Pure."""

from __future__ import annotations

import msgspec


class Window(msgspec.Struct, frozen=True):
    """Of `count` rows those from `first` up to, and without, `end` are in sight."""

    first: int
    end: int
    count: int

    @property
    def hidden(self) -> str:
        """How many rows are out of sight above and below; empty where none is."""
        above, below = self.first, self.count - self.end
        parts = [f"{above} more above"] if above else []
        parts += [f"{below} more below"] if below else []
        return f"… {', '.join(parts)}" if parts else ""


def window(count: int, room: int, chosen: int, first: int = 0) -> Window:
    """The part of `count` rows that is in sight in `room` lines, with the row `chosen` in it.

    It moves from `first` no further than it must. Where not all rows are in sight, one of the lines
    is left free for `hidden`, unless there is only one line.
    """
    if count <= room:
        return Window(0, count, count)
    seen = max(1, room - 1)
    first = min(max(first, chosen - seen + 1), chosen, count - seen)
    return Window(max(0, first), max(0, first) + seen, count)
