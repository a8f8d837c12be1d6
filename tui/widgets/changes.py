"""Which cells of a drawing differ from those of the drawing before."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip


def changes(before: Sequence[Strip], after: Sequence[Strip]) -> list[Region]:
    """The regions that must be drawn again to turn `before` into `after`.

    There is one region a line, from its first change to its last. Textual sends each region from
    where its widget begins: two regions in a line would send the same cells twice.
    """
    regions: list[Region] = []
    for y, (old, new) in enumerate(zip_longest(before, after, fillvalue=Strip.blank(0))):
        if old is new or old == new:
            continue
        width = max(old.cell_length, new.cell_length)
        old_cells, new_cells = _cells(old), _cells(new)
        if len(old_cells) != old.cell_length or len(new_cells) != new.cell_length:
            # A character is two cells wide: cells and characters do not correspond.
            regions.append(Region(0, y, width, 1))
            continue
        pairs = enumerate(zip_longest(old_cells, new_cells))
        differing = [x for x, (was, now) in pairs if was != now]
        if differing:
            regions.append(Region(differing[0], y, differing[-1] + 1 - differing[0], 1))
    return regions


def _cells(line: Strip) -> list[tuple[str, Style | None]]:
    return [(character, segment.style) for segment in line for character in segment.text]
