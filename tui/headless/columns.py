"""A table of plain text that fits into a width; made without Rich, which takes long to import."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from vramtop.tui.words import units

_BETWEEN = "  "


class Column(msgspec.Struct, frozen=True):
    """A column and its cells. It is left out before those with a smaller `rank`; at 0 it stays.

    One that is `flexible` stands last, and is cut where there is too little room. Numbers are
    aligned to the right.
    """

    name: str
    cells: Sequence[str]
    rank: int = 0
    right: bool = True
    flexible: bool = False

    @property
    def width(self) -> int:
        """How many characters the longest cell has."""
        return max(map(len, (self.name, *self.cells)))


def fitting(columns: Sequence[Column], room: int | None, least: int) -> list[Column]:
    """The columns that fit into `room` characters; None is room for all.

    A flexible one has at least so many characters as `least` says, or as its longest cell has.
    """
    kept = list(columns)
    while room is not None and _needed(kept, least) > room:
        last = max(kept, key=lambda column: column.rank)
        if not last.rank:
            break
        kept.remove(last)
    return kept


def lines(columns: Sequence[Column], room: int | None) -> list[str]:
    """The title and the rows, none longer than `room` where there is a flexible column."""
    rows = zip(*((column.name, *column.cells) for column in columns), strict=True)
    return [_line(columns, row, room) for row in rows]


def _needed(columns: Sequence[Column], least: int) -> int:
    widths = [min(least, each.width) if each.flexible else each.width for each in columns]
    return sum(widths) + len(_BETWEEN) * (len(widths) - 1)


def _line(columns: Sequence[Column], row: Sequence[str], room: int | None) -> str:
    cells = []
    for column, text in zip(columns, row, strict=True):
        if column.flexible:
            cells.append(text)
        else:
            side = ">" if column.right else "<"
            cells.append(f"{text:{side}{column.width}}")
    line = _BETWEEN.join(cells).rstrip()
    return line if room is None else units.cut(line, room)
