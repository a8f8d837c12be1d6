"""Curves in characters: dots of an eighth of a cell, or what every terminal has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TypeAlias

from .scales import Scale

_BRAILLE = 0x2800
# The bit of a dot by its column and its row in the cell, as Unicode numbers them.
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_PLAIN = " '-|_|||"  # by which of a cell's three levels are reached: 1, 2 and 4

# By images: a value, or None where there is none and the curve is interrupted.
Values: TypeAlias = Sequence[tuple[int, float | None]]
# The highest and the lowest level that is reached in each column; None where nothing is.
Extents: TypeAlias = list[tuple[int, int] | None]


def extents(values: Values, length: int, columns: int, scale: Scale, levels: int) -> Extents:
    """Which levels a line through all of the values passes, where `length` images fill the columns.

    No value is left out and none is averaged: where several share a column, it has all of them.
    """
    found: Extents = [None] * columns
    before: tuple[int, int] | None = None
    for x, group in groupby(values, lambda value: min(columns - 1, value[0] * columns // length)):
        known = [value for _, value in group if value is not None]
        if not known:
            before = None
            continue
        found[x] = scale.depth(max(known), levels), scale.depth(min(known), levels)
        if before is not None:
            _line(found, *before, x, scale.depth(known[0], levels))
        before = x, scale.depth(known[-1], levels)
    return found


def _line(found: Extents, x: int, y: int, end: int, end_y: int) -> None:
    """From one column to a later one; a steep piece is drawn through."""
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
