"""A window on a list that is longer than there is room: what is chosen stays in it. Pure."""

from __future__ import annotations

import msgspec


class Window(msgspec.Struct, frozen=True):
    """The rows from `first` up to, and without, `end` are seen, of `count`."""

    first: int
    end: int
    count: int

    @property
    def hidden(self) -> str:
        """How many rows are not seen, and where; empty where all are."""
        above, below = self.first, self.count - self.end
        told = [f"{above} more above"] if above else []
        told += [f"{below} more below"] if below else []
        return f"… {', '.join(told)}" if told else ""


def window(count: int, room: int, chosen: int, first: int = 0) -> Window:
    """What of `count` rows is seen in `room` lines, with the row `chosen` among it.

    It moves from `first` no further than it must. Where not all rows are seen, a line of the room
    is kept for `hidden`, unless there is but one.
    """
    if count <= room:
        return Window(0, count, count)
    seen = max(1, room - 1)
    first = min(max(first, chosen - seen + 1), chosen, count - seen)
    return Window(max(0, first), max(0, first) + seen, count)
