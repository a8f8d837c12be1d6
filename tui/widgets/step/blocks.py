"""Bars out of block characters, an eighth of a cell precise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate, groupby

import msgspec
from rich.style import Style
from rich.text import Text
from vramtop.protocol.split import CATEGORIES
from vramtop.tui.terminal.palette import EMPTY, GLYPHS, Palette, fill

EIGHTHS = 8
_HANDICAP = 3  # eighths
ACROSS = " ▏▎▍▌▋▊▉█"
UPWARD = " ▁▂▃▄▅▆▇█"


class Cell(msgspec.Struct, frozen=True):
    """One character and the two that share it: its own colour and its background's.

    `larger` is the one that has more of it.
    """

    glyph: str
    first: int
    second: int
    larger: int


def bar(parts: Sequence[int], scale: int, cells: int, steps: str = ACROSS) -> list[Cell]:
    """`parts` laid end to end, where `scale` fills all `cells`; always so many cells.

    `steps` are the characters that fill a cell by eighths, across or upward.
    """
    owners = _owners(parts, scale, cells * EIGHTHS)
    return [_cell(owners, start, steps) for start in range(0, cells * EIGHTHS, EIGHTHS)]


def drawn(cell: Cell, colors: Palette) -> tuple[str, Style]:
    """A cell's character and style: one colour, or where there are none, a whole pattern."""
    if not colors.patterned:
        return cell.glyph, fill(colors, cell.first, cell.second)
    owner = cell.larger
    glyph = colors.empty if owner == EMPTY else GLYPHS[CATEGORIES[owner]]
    return glyph, fill(colors, owner, owner)


def write(picture: Text, cells: Iterable[tuple[str, Style]]) -> None:
    """Append the cells; neighbours of one style as one piece, which is drawn much faster."""
    for style, run in groupby(cells, lambda cell: cell[1]):
        picture.append("".join(glyph for glyph, _ in run), style)


def _owners(parts: Sequence[int], scale: int, eighths: int) -> list[int]:
    """Whose each eighth is."""
    owners: list[int] = []
    for index, end in enumerate(accumulate(parts)):
        reached = min(eighths, round(end * eighths / scale)) if scale > 0 else 0
        owners += [index] * (reached - len(owners))
    return owners + [EMPTY] * (eighths - len(owners))


def _cell(owners: Sequence[int], start: int, steps: str) -> Cell:
    """The cell of the eighths from `start` on."""
    here = owners[start : start + EIGHTHS]
    first, last = here[0], here[-1]
    if first == last:
        glyph = " " if first == EMPTY else GLYPHS[CATEGORIES[first]]
        return Cell(glyph, first, first, first)
    counts = Counter(here)
    if len(counts) > 2:
        # Two can share a cell, and the smaller ones give way. But at the end of all, what is seen
        # in the cell before may give way to what would be seen nowhere.
        before = owners[start - 1] if start and EMPTY in counts else None
        weights = counts.copy()
        if before is not None and before in weights:
            # Though not to so little that an eighth is what it was rounded to.
            weights[before] = max(1, weights[before] - _HANDICAP)
        ranked = sorted(counts, key=lambda owner: (weights[owner], owner == before))
        first, last = sorted(ranked[-2:])
    border = min(EIGHTHS - 1, max(1, here.index(last)))
    return Cell(steps[border], first, last, first if 2 * border >= EIGHTHS else last)
