"""Bars out of block characters, an eighth of a cell precise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, groupby
from operator import itemgetter

import msgspec
from rich.style import Style
from rich.text import Text
from vramtop.protocol.split import ALL_CATEGORIES
from vramtop.tui.terminal.palette import EMPTY, GLYPHS, Palette, fill

EIGHTHS = 8
_HANDICAP = 3  # eighths
ACROSS = " ▏▎▍▌▋▊▉█"
UPWARD = " ▁▂▃▄▅▆▇█"


class Cell(msgspec.Struct, frozen=True):
    """One character, and the two parts of the bar in it: by its own colour and its background's.

    `larger` is the part with more of the cell.
    """

    glyph: str
    first: int
    second: int
    larger: int


def bar(parts: Sequence[int], scale: int, cells: int, steps: str = ACROSS) -> list[Cell]:
    """`parts` laid end to end, where `scale` bytes fill all `cells`.

    `steps` are the characters that fill a cell by eighths, across or upward.
    """
    owners = _owners(parts, scale, cells * EIGHTHS)
    return [_cell(owners, start, steps) for start in range(0, cells * EIGHTHS, EIGHTHS)]


def drawn(cell: Cell, colors: Palette) -> tuple[str, Style]:
    """A cell's character and style; without colours, the pattern of its larger part."""
    if not colors.patterned:
        return cell.glyph, fill(colors, cell.first, cell.second)
    owner = cell.larger
    glyph = colors.empty if owner == EMPTY else GLYPHS[ALL_CATEGORIES[owner]]
    return glyph, fill(colors, owner, owner)


def write(picture: Text, cells: Iterable[tuple[str, Style]]) -> None:
    """Append the cells."""
    for glyphs, style in pieces(cells):
        picture.append(glyphs, style)


def pieces(cells: Iterable[tuple[str, Style]]) -> Iterator[tuple[str, Style]]:
    """Neighbours of one style as one piece, which Rich draws much faster."""
    for style, run in groupby(cells, itemgetter(1)):
        yield "".join(map(itemgetter(0), run)), style


def _owners(parts: Sequence[int], scale: int, eighths: int) -> list[int]:
    """The part that each eighth belongs to."""
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
        glyph = " " if first == EMPTY else GLYPHS[ALL_CATEGORIES[first]]
        return Cell(glyph, first, first, first)
    counts = Counter(here)
    if len(counts) > 2:
        # Only two parts can share a cell, so the smaller ones are left out. In the bar's last cell,
        # a part that is seen in the cell before may be left out for one seen nowhere else.
        before = owners[start - 1] if start and EMPTY in counts else None
        weights = counts.copy()
        if before is not None and before in weights:
            # But no part counts less than one eighth.
            weights[before] = max(1, weights[before] - _HANDICAP)
        ranked = sorted(counts, key=lambda owner: (weights[owner], owner == before))
        first, last = sorted(ranked[-2:])
    border = min(EIGHTHS - 1, max(1, here.index(last)))
    return Cell(steps[border], first, last, first if 2 * border >= EIGHTHS else last)
