"""The holders of a device's memory as a bar and as names, the same on every screen."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from rich.text import Text
from vramtop.tui.gpus.holders import Holder, HolderBytes
from vramtop.tui.terminal.palette import Palette, ink
from vramtop.tui.words import units

# The colour and the glyph of each holder; free memory has neither.
_LOOKS: dict[Holder, tuple[int, str]] = {
    "driver": (0, "▓"),
    "others": (1, "▒"),
    "others and context": (1, "▒"),
    "context": (2, "░"),
    "older": (2, "░"),
    "workspace": (3, "▚"),
    "step": (4, "█"),
    "rounding": (5, "·"),
    "cache": (6, "▞"),
}


def holder_bar(parts: Sequence[HolderBytes], width: int, colors: Palette) -> Text:
    """The parts laid end to end, each as wide as its share of the whole."""
    whole, bar, start = sum(part.bytes for part in parts), Text(), 0
    ends = accumulate(part.bytes for part in parts)
    for part, end in zip(parts, (round(end * width / whole) for end in ends), strict=True):
        color, glyph = _look(part.holder, colors)
        bar.append(glyph * (end - start), ink(color, colors.track))
        start = end
    return bar


def holder_name(part: HolderBytes, colors: Palette) -> Text:
    """The part's glyph, its name and its bytes: `▒ others 1.00G`."""
    color, glyph = _look(part.holder, colors)
    name = f" {part.holder} {units.short(part.bytes)}"
    return Text().append(glyph, ink(color, colors.track)).append(name, ink(colors.muted))


def _look(holder: Holder, colors: Palette) -> tuple[str, str]:
    place, glyph = _LOOKS.get(holder, (None, colors.empty))
    return (colors.faint if place is None else colors.holders[place]), glyph
