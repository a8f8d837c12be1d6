"""Lines from a part of the device bar to the ends of the split bar, which magnifies that part."""

from __future__ import annotations

import math

import msgspec
from vramtop.tui.words import units


class Magnified(msgspec.Struct, frozen=True):
    """The part of the device bar that is magnified: `size` bytes from `start` on, of `whole`."""

    start: int
    size: int
    whole: int


def connector(part: Magnified, width: int) -> str:
    """One line that connects both ends of the part above with both ends of the bar below.

    It is empty where the part is not smaller than the whole.
    """
    if part.size >= part.whole or width < 2:
        return ""
    last = width - 1
    begin = min(last, part.start * width // part.whole)
    end = min(last, max(begin, math.ceil((part.start + part.size) * width / part.whole) - 1))
    line = ["╭", *"─" * (width - 2), "╮"]
    for column in (begin, end):
        line[column] = {0: "├", last: "┤"}.get(column, "┴")
    label = f" {units.times(part.whole / part.size)} "
    # The label stands on the side of the part with more room.
    left, right = (end + 1, last) if last - end >= begin else (1, begin)
    at = (left + right - len(label)) // 2
    if at >= left:
        line[at : at + len(label)] = label
    return "".join(line)
