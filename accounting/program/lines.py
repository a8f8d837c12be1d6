"""What each line of the program has allocated, at the high water of each category."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from vramtop.protocol.observed.record import WatchedStep
from vramtop.protocol.observed.report import Line, Split
from vramtop.protocol.split import Category

from .blocks import Block
from .origins import line_of


def lines_of(step: WatchedStep, highest: Mapping[Category, Sequence[Block]]) -> tuple[Line, ...]:
    """The lines that hold anything, the most bytes first.

    What no line is known of has an empty one, so that the sum of each category is its high water.
    """
    bytes_of: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for category, blocks in highest.items():
        for block in blocks:
            bytes_of[line_of(step, block.line)][category] += block.size
    lines = [Line(line, Split(**sizes)) for line, sizes in bytes_of.items()]
    return tuple(sorted(lines, key=lambda each: (-each.split.total, each.line)))
