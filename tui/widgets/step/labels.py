"""Names inside the segments of the split bar, where they have room."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from vramtop.protocol.split import ALL_CATEGORIES, Category, Split
from vramtop.tui.terminal.palette import EMPTY
from vramtop.tui.words import units
from vramtop.tui.words.wording import NAMES

from .blocks import Cell

SHORT: dict[Category, str] = {
    "parameters": "Params",
    "gradients": "Grads",
    "optimizer_state": "Optimizer",
    "batch_data": "Batch",
    "activations": "Activ.",
    "temporaries": "Temp.",
    "other": "Other",
}


def labels(cells: Sequence[Cell], split: Split, rows: int) -> list[dict[int, str]]:
    """For each of `rows` lines of a bar, the characters in it, by column.

    The share stands in the second line, or where there is only one, after the name. A text that
    does not fit into its segment with a free cell on both sides is shortened or left out.
    """
    lines: list[dict[int, str]] = [{} for _ in range(rows)]
    for category, start, length in _segments(cells):
        share = units.share(split.of(category), split.total)
        for line, text in zip(lines, _words(category, share, rows, length - 2), strict=False):
            line.update(enumerate(f" {text} " if text else "", start))
    return lines


def _segments(cells: Sequence[Cell]) -> Iterator[tuple[Category, int, int]]:
    """Each category that fills whole cells, its first such cell, and how many there are."""
    start = 0
    for (owner, whole), run in groupby(cells, lambda cell: (cell.first, cell.first == cell.second)):
        length = len(list(run))
        if whole and owner != EMPTY:
            yield ALL_CATEGORIES[owner], start, length
        start += length


def _words(category: Category, share: str, rows: int, room: int) -> Sequence[str]:
    """The texts of a segment with so much room, one for each line."""
    names = (NAMES[category], SHORT[category])
    if rows > 1:
        name = next((name for name in names if len(name) <= room), "")
        return (name, share if len(share) <= room else "")
    forms = (*(f"{name} {share}" for name in names), share)
    return (next((text for text in forms if len(text) <= room), ""),)
