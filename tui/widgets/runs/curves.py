"""Curves in characters: braille dots, or ASCII where the terminal has no braille."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TypeAlias

from .scales import Scale

_BRAILLE = 0x2800
# The bit of a dot by its column and its row in the cell, as Unicode numbers them.
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_PLAIN = " '-|_|||"  # by which of a cell's three levels are reached: 1, 2 and 4

# A value at each point, or None where there is none and the curve is interrupted.
Values: TypeAlias = Sequence[float | None]
# The highest and the lowest level of the curve in each column; None where there is no curve.
Extents: TypeAlias = list[tuple[int, int] | None]


def places(images: Sequence[int], length: int, columns: int) -> list[slice]:
    """The points in each of the columns of an axis of `length` images.

    `images` are the places of the points, in ascending order.
    """
    starts = [bisect_left(images, -(-column * length // columns)) for column in range(columns)]
    return [slice(start, end) for start, end in pairwise([*starts, len(images)])]


def extents(
    values: Values, columns: Sequence[slice], scale: Scale, levels: int, known: Extents
) -> Extents:
    """The levels of a line through all of the values, column by column.

    No value is left out or averaged: a column with several values has all of them. `known` are the
    extents of the first columns, if there are any, by an earlier call with the same points there;
    the last of them has points.
    """
    found: Extents = [*known, *[None] * (len(columns) - len(known))]
    depth = scale.depth(levels)
    before: tuple[int, int] | None = None
    # The line goes on from the last column that is known.
    for x in range(max(0, len(known) - 1), len(columns)):
        shared = values[columns[x]]
        here = [depth(value) for value in shared if value is not None]
        if not here:
            before = None if shared else before
            continue
        if x >= len(known):
            found[x] = min(here), max(here)
            if before is not None:
                _line(found, *before, x, here[0])
        before = x, here[-1]
    return found


def _line(found: Extents, x: int, y: int, end: int, end_y: int) -> None:
    """Draw a line from one column to a later one, without gaps where it is steep."""
    at = y
    for column in range(x + 1, end + 1):
        here = y + round((end_y - y) * (column - x) / (end - x))
        _reach(found, column, here)
        _reach(found, column, at if at == here else at + (1 if here > at else -1))
        at = here


def _reach(found: Extents, x: int, y: int) -> None:
    extent = found[x]
    found[x] = (y, y) if extent is None else (min(extent[0], y), max(extent[1], y))


def per_cell(*, braille: bool) -> tuple[int, int]:
    """How many columns and how many levels share a cell."""
    return (2, 4) if braille else (1, 3)


def cells(found: Extents, rows: int, *, braille: bool) -> list[str]:
    """So many rows of characters; a space where the curve does not pass."""
    across, levels = per_cell(braille=braille)
    bits = [[0] * (len(found) // across) for _ in range(rows)]
    for x, extent in enumerate(found):
        for level in _levels(extent):
            row, dot = divmod(level, levels)
            bits[row][x // across] |= _DOTS[x % 2][dot] if braille else 1 << dot
    return ["".join(_character(cell, braille=braille) for cell in row) for row in bits]


def _levels(extent: tuple[int, int] | None) -> Iterable[int]:
    return () if extent is None else range(extent[0], extent[1] + 1)


def _character(cell: int, *, braille: bool) -> str:
    if not braille:
        return _PLAIN[cell]
    return chr(_BRAILLE + cell) if cell else " "
