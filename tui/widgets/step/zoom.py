"""Lines from a part of the device bar to the ends of the bar that magnifies it."""

from __future__ import annotations

import math

import msgspec
from vramtop.tui.words import units


class Part(msgspec.Struct, frozen=True):
    """What of the device a bar magnifies, all in bytes: `size` from `start` on, of the `whole`."""

    start: int
    size: int
    whole: int


def connector(part: Part, width: int) -> str:
    """One line: up to where the part begins and ends, and down to both ends of all columns.

    It is empty where the part is no smaller than the whole.
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
    # In the longer of the stretches on both sides of the part.
    left, right = (end + 1, last) if last - end >= begin else (1, begin)
    at = (left + right - len(label)) // 2
    if at >= left:
        line[at : at + len(label)] = label
    return "".join(line)
