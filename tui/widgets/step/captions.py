"""Marks over the columns of a chart, and what they say, in one line."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.style import Style
from rich.text import Text

from .blocks import write

Words = tuple[tuple[str, Style], ...]


class Sign(msgspec.Struct, frozen=True):
    """A mark over a column, and what it says beside it: versions in fewer and fewer words."""

    column: int
    mark: str
    style: Style
    versions: Sequence[Words]


def line(signs: Sequence[Sign], width: int) -> Text:
    """All marks, and as much of the words as finds room; the first sign chooses first."""
    cells: list[tuple[str, Style]] = [(" ", Style.null())] * width
    # With a cell of air around all, two signs do not read as one.
    taken = {sign.column + by for sign in signs for by in (-1, 0, 1)}
    for sign in reversed(signs):
        cells[sign.column] = (sign.mark, sign.style)
    for sign in signs:
        for words in sign.versions:
            letters = [(letter, style) for text, style in words for letter in text]
            start = _room(len(letters), sign.column, taken, width)
            if start is not None:
                end = start + len(letters)
                cells[start:end] = letters
                taken |= set(range(start - 1, end + 1))
                break
    picture = Text()
    write(picture, cells)
    return picture


def _room(length: int, column: int, taken: set[int], width: int) -> int | None:
    """Where so many cells are free: to the right of the column, or to its left."""
    for start in (column + 2, column - 1 - length):
        wanted = range(start, start + length)
        if start >= 0 and wanted.stop <= width and not taken.intersection(wanted):
            return start
    return None
