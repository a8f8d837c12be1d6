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


def fit(screen: Screen[Any], size: Size) -> None:
    """Choose what of a screen the room is enough for; `app.tcss` has what each class means."""
    width, height = size
    screen.set_class(width < MIN_WIDTH or height < MIN_HEIGHT, "tiny")
    screen.set_class(width >= 100, "wide")
    screen.set_class(width >= 168, "broad")
    screen.set_class(height >= 34, "tall")
    screen.set_class(height >= 39, "airy")
    screen.set_class(height >= 46, "high")
    screen.set_class(height < 22, "short")
    told = f"A little more room, please:\nvramtop needs {MIN_WIDTH} by {MIN_HEIGHT}"
    screen.query_one(TooSmall).update(f"{told},\nthis is {width} by {height}.")
