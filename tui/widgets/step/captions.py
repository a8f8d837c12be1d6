"""Captions over the columns of a chart: a mark each with words beside it, in one line."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.style import Style
from rich.text import Text

from .blocks import write

Words = tuple[tuple[str, Style], ...]


class Caption(msgspec.Struct, frozen=True):
    """A mark over a column; `versions` are words beside it, shorter and shorter."""

    column: int
    mark: str
    style: Style
    versions: Sequence[Words]


def caption_line(captions: Sequence[Caption], width: int) -> Text:
    """All marks, and the longest words that have room; the first caption gets room first."""
    cells: list[tuple[str, Style]] = [(" ", Style.null())] * width
    # A free cell on each side separates captions.
    taken = {caption.column + by for caption in captions for by in (-1, 0, 1)}
    for caption in reversed(captions):
        cells[caption.column] = (caption.mark, caption.style)
    for caption in captions:
        for words in caption.versions:
            letters = [(letter, style) for text, style in words for letter in text]
            start = _room(len(letters), caption.column, taken, width)
            if start is not None:
                end = start + len(letters)
                cells[start:end] = letters
                taken |= set(range(start - 1, end + 1))
                break
    picture = Text()
    write(picture, cells)
    return picture


def _room(length: int, column: int, taken: set[int], width: int) -> int | None:
    """Where `length` cells are free: to the right of the column, or to its left."""
    for start in (column + 2, column - 1 - length):
        wanted = range(start, start + length)
        if start >= 0 and wanted.stop <= width and not taken.intersection(wanted):
            return start
    return None
