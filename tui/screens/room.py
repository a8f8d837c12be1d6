"""What a screen has room for."""

from __future__ import annotations

from typing import Any

from textual.geometry import Size
from textual.screen import Screen
from textual.widgets import Static

MIN_WIDTH, MIN_HEIGHT = 60, 18


class TooSmall(Static):
    """Stands in for all else where a terminal is too small for it."""

    def __init__(self) -> None:
        super().__init__("", id="small")


def fit(screen: Screen[Any], size: Size, *, least: int = MIN_HEIGHT) -> None:
    """Choose what of a screen the room is enough for; `app.tcss` has what each class means.

    It takes `least` lines to show anything.
    """
    width, height = size
    # All at once: each change of classes styles every part of the screen anew.
    screen.update_classes(
        {
            "tiny": width < MIN_WIDTH or height < least,
            "wide": width >= 100,
            "broad": width >= 168,
            "tall": height >= 34,
            "airy": height >= 39,
            "high": height >= 46,
            "short": height < 22,
        }
    )
    told = f"A little more room, please:\nvramtop needs {MIN_WIDTH} by {least}"
    screen.query_one(TooSmall).update(f"{told},\nthis is {width} by {height}.")
