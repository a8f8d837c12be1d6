"""What a screen has room for."""

from __future__ import annotations

from typing import Any

from textual.geometry import Size
from textual.screen import Screen
from textual.widgets import Static

# What a screen needs at least, unless it says otherwise: columns and lines.
ENOUGH = (60, 18)
# From so many lines on, what lies over a screen has these classes: it goes without its air.
HEIGHTS: list[tuple[int, str]] | None = [(0, "bare"), (8, "close"), (12, "ample")]


class TooSmall(Static):
    """Stands in for all else where a terminal is too small for it."""

    def __init__(self) -> None:
        super().__init__("", id="small")


def fit(screen: Screen[Any], size: Size, least: tuple[int, int] = ENOUGH, way: str = "") -> None:
    """Choose what of a screen the room is enough for; `app.tcss` has what each class means.

    Smaller than `least` it only says what it needs, and `way`, the way out.
    """
    width, height = size
    tiny = width < least[0] or height < least[1]
    pane = height < ENOUGH[1] and not tiny
    # All at once: each change of classes styles every part of the screen anew.
    screen.update_classes(
        {
            "tiny": tiny,
            "wide": width >= 100,
            "broad": width >= 168,
            "tall": height >= 34,
            "airy": height >= 39,
            "high": height >= 46,
            "short": height < 22,
            # From here on, a pane of a few lines.
            "pane": pane,
            "bare": pane and height < 8,
            "brief": pane and height < 11,
            "roomy": pane and height >= 10,
            "loose": pane and height >= 13,
            "keyed": pane and (height >= 14 or 9 <= height <= 10),
            "lean": height in (6, 11),
            "barred": pane and (height >= 15 or height == 10),
        }
    )
    told = [f"A little more room, please:\nthis needs {least[0]} by {least[1]}"]
    told.append(f",\nand here is {width} by {height}." if height > 2 else "")
    screen.query_one(TooSmall).update("".join(told) + (f"\n{way}" if height > 3 else ""))
