"""Real pixels, in terminals that have kitty's graphics protocol with Unicode placeholders.

The picture is sent once. Cells of text then name the part of it that they show, so Textual moves
and removes them like any text. The protocol is described at
https://sw.kovidgoyal.net/kitty/graphics-protocol/#unicode-placeholders.

textual-image 0.12 also knows Sixel, but asks the terminal while it is imported. Keys typed in that
moment are lost or make the import fail, and each unanswered question delays the start by 0.1 s.
"""

from __future__ import annotations

import zlib
from base64 import b64encode
from collections.abc import Mapping

from rich.style import Style
from rich.text import Text

from .pixels import Pixels

# TERM has these names over SSH too, but not within tmux, which passes no graphics on.
_TERMINALS = ("xterm-kitty", "xterm-ghostty")
_PLACEHOLDER = "\U0010eeee"
# The combining characters for row and column 0, 1, 2 … of a placeholder, in the protocol's order.
_MARKS = (
    0x305, 0x30D, 0x30E, 0x310, 0x312, *range(0x33D, 0x340), 0x346, *range(0x34A, 0x34D),
    *range(0x350, 0x353), 0x357, 0x35B, *range(0x363, 0x370), *range(0x483, 0x488),
    *range(0x592, 0x596), *range(0x597, 0x59A), *range(0x59C, 0x5A2), *range(0x5A8, 0x5AA),
    *range(0x5AB, 0x5AD), 0x5AF, 0x5C4, *range(0x610, 0x618), *range(0x657, 0x65C),
    *range(0x65D, 0x65F), *range(0x6D6, 0x6DD), *range(0x6DF, 0x6E3), 0x6E4, *range(0x6E7, 0x6E9),
    *range(0x6EB, 0x6ED), 0x730, *range(0x732, 0x734), *range(0x735, 0x737), 0x73A, 0x73D,
    *range(0x73F, 0x742), 0x743, 0x745, 0x747, *range(0x749, 0x74B),
)  # fmt: skip
MOST = len(_MARKS)  # columns and rows
_DOTS = 8  # width and height of each pixel as sent; terminals blur smaller ones
_CHUNK = 4096  # the most base64 characters that a command may hold


def available(environment: Mapping[str, str]) -> bool:
    """Whether the terminal is known to have this protocol.

    The terminal is not asked, since its answer would arrive among the keys.
    """
    return environment.get("TERM") in _TERMINALS


def identity(pixels: Pixels) -> int:
    """The picture's number in the terminal: 24 bits, not 0, made from the pixels."""
    return zlib.crc32(pixels.values) % 0xFFFFFF + 1


def transmission(pixels: Pixels, columns: int, rows: int) -> str:
    """The commands that send the picture for `columns` × `rows` cells. They draw nothing yet."""
    size = f"s={pixels.width * _DOTS},v={pixels.height * _DOTS},c={columns},r={rows}"
    keys = f"a=T,U=1,q=2,f=24,o=z,i={identity(pixels)},{size}"
    data = b64encode(zlib.compress(_enlarged(pixels))).decode()
    commands = []
    for start in range(0, len(data), _CHUNK):
        more = int(start + _CHUNK < len(data))
        first = f"{keys}," if start == 0 else ""
        commands.append(f"\x1b_G{first}m={more};{data[start : start + _CHUNK]}\x1b\\")
    return "".join(commands)


def placeholders(pixels: Pixels, columns: int, rows: int) -> Text:
    """The cells that show the picture. Their colour is its number."""
    marks = [chr(mark) for mark in _MARKS]
    lines = (
        "".join(f"{_PLACEHOLDER}{marks[row]}{marks[column]}" for column in range(columns))
        for row in range(rows)
    )
    return Text("\n".join(lines), Style(color=f"#{identity(pixels):06x}"))


def _enlarged(pixels: Pixels) -> bytes:
    """The red, green and blue of each dot as bytes, row by row."""
    rows = []
    for y in range(pixels.height):
        dots = (bytes.fromhex(pixels.color(x, y)[1:]) * _DOTS for x in range(pixels.width))
        rows.append(b"".join(dots) * _DOTS)
    return b"".join(rows)
