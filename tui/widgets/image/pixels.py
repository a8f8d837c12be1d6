"""A picture out of characters: half-blocks in its own colours, or ASCII where there are none.

A cell is about twice as high as wide, so it holds two square pixels, one above the other.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby

import msgspec
from rich.style import Style
from rich.text import Text
from vramtop.tui.terminal.palette import luminance

# From no ink to the most.
_RAMP = " .:-=+*#%@"


class Pixels(msgspec.Struct, frozen=True):
    """`values`: uint8, height·width·channels of them, row by row; one channel is grey."""

    values: bytes
    height: int
    width: int
    channels: int

    def color(self, x: int, y: int) -> str:
        """The colour of a pixel, `#rrggbb`."""
        at = (y * self.width + x) * self.channels
        rgb = self.values[at : at + self.channels] * (3 if self.channels == 1 else 1)
        return f"#{rgb.hex()}"


def scale(pixels: Pixels, width: int, height: int) -> int:
    """How many columns a pixel gets in a room of so many columns and lines; 0 where none fits."""
    return min(width // pixels.width, 2 * height // pixels.height)


def half_blocks(pixels: Pixels, times: int) -> Text:
    """Each cell an upper half block: its ink is the upper pixel, its paper the lower one."""

    def cell(upper: str, lower: str) -> tuple[str, Style]:
        return "▀", Style(color=upper, bgcolor=lower)

    return _lines(pixels, times, cell)


def characters(pixels: Pixels, times: int, *, dark: bool) -> Text:
    """ASCII, the more ink the brighter where the paper is `dark`, else the darker."""

    def cell(upper: str, lower: str) -> tuple[str, Style]:
        # The square root is near to how bright it seems.
        bright = ((luminance(upper) + luminance(lower)) / 2) ** 0.5
        ink = bright if dark else 1 - bright
        return _RAMP[min(int(ink * len(_RAMP)), len(_RAMP) - 1)], Style()

    return _lines(pixels, times, cell)


def _lines(pixels: Pixels, times: int, cell: Callable[[str, str], tuple[str, Style]]) -> Text:
    """All cells, each pixel `times` columns wide and half as many lines high."""
    picture = Text()
    for line in range(pixels.height * times // 2):
        upper, lower = 2 * line // times, (2 * line + 1) // times
        if line:
            picture.append("\n")
        columns = [(pixels.color(x, upper), pixels.color(x, lower)) for x in range(pixels.width)]
        for pair, run in groupby(columns):
            character, style = cell(*pair)
            picture.append(character * times * len(list(run)), style)
    return picture
