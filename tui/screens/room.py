"""The room on a screen, as classes for the stylesheet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from textual.geometry import Size
from textual.screen import Screen
from textual.widgets import Static

# The columns and lines that a screen needs, unless it says otherwise.
ENOUGH = (60, 18)
# The styles of a screen with fewer lines, which are read only where there is one.
_PANES = Path(__file__).with_name("panes.tcss")
# The class of a dialog, by the lines from which on it has it; with fewer there is less space.
HEIGHTS: list[tuple[int, str]] | None = [(0, "bare"), (8, "close"), (12, "ample")]


class TooSmall(Static):
    """The only part that a screen shows where the terminal is too small for it."""

    def __init__(self) -> None:
        super().__init__("", id="small")


def adapt(screen: Screen[Any], size: Size, least: tuple[int, int] = ENOUGH, way: str = "") -> None:
    """Give a screen of this `size` its classes; `app.tcss` says what each of them shows.

    A screen smaller than `least` only says what it needs; `way` is a line on how to leave it.
    """
    width, height = size
    tiny = width < least[0] or height < least[1]
    pane = height < ENOUGH[1] and not tiny
    if pane and not screen.app.stylesheet.has_source(str(_PANES)):
        screen.app.stylesheet.read(_PANES)
    # In one call: after each change of classes every part of the screen is styled anew.
    screen.update_classes(
        {
            "tiny": tiny,
            "wide": width >= 100,
            "broad": width >= 168,
            "tall": height >= 34,
            "airy": height >= 39,
            "high": height >= 46,
            "short": height < 22,
            # Those of a pane of a few lines.
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
    text = [f"A little more room, please:\nthis needs {least[0]} by {least[1]}"]
    text.append(f",\nand here is {width} by {height}." if height > 2 else "")
    for notice in screen.query(TooSmall):  # none before the screen has its parts
        notice.update("".join(text) + (f"\n{way}" if height > 3 else ""))
