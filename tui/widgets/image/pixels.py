"""A picture made of characters: half-blocks in its colours, or ASCII where there are no colours.

A cell is about twice as high as wide, so it holds two square pixels, one above the other.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby

import msgspec
from rich.style import Style
from rich.text import Text
from vramtop.tui.terminal.palette import luminance

# From the character with the least ink to the one with the most.
_RAMP = " .:-=+*#%@"


class Pixels(msgspec.Struct, frozen=True):
    """An image. `values` are uint8, height·width·channels of them, row by row.

    One channel is grey, three are red, green and blue.
    """

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
    """Columns for each pixel in `width` columns and `height` lines; 0 where it does not fit."""
    return min(width // pixels.width, 2 * height // pixels.height)


def half_blocks(pixels: Pixels, times: int) -> Text:
    """The picture in upper half blocks. The ink is the upper pixel, the paper the lower one."""

    def cell(upper: str, lower: str) -> tuple[str, Style]:
        return "▀", Style(color=upper, bgcolor=lower)

    return _lines(pixels, times, cell)


def characters(pixels: Pixels, times: int, *, dark: bool) -> Text:
    """The picture in ASCII. More ink means brighter on `dark` paper, and darker on light paper."""

    def cell(upper: str, lower: str) -> tuple[str, Style]:
        # The square root of luminance is close to the brightness that an eye sees.
        bright = ((luminance(upper) + luminance(lower)) / 2) ** 0.5
        ink = bright if dark else 1 - bright
        return _RAMP[min(int(ink * len(_RAMP)), len(_RAMP) - 1)], Style()

    return _lines(pixels, times, cell)


def _lines(pixels: Pixels, times: int, cell: Callable[[str, str], tuple[str, Style]]) -> Text:
    """The picture by `cell`, each pixel `times` columns wide and half as many lines high."""
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
