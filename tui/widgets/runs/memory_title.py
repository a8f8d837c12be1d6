"""The title of the chart of memory: the names of its curves, and their latest values."""

from __future__ import annotations

from rich.text import Text
from vramtop.protocol.split import ALL_CATEGORIES
from vramtop.tui.state.history import Point
from vramtop.tui.terminal.palette import Palette, ink
from vramtop.tui.words import units

_WORDS = 46  # from this width on, words and sizes are not shortened


def memory_title(last: Point | None, *, lesson: bool, width: int, colors: Palette) -> Text:
    """As many of the curves as there is room for: a step's peak, what is reserved, and *other*.

    Each has so much room that a change of digits moves nothing.
    """
    if last is None or last.reserved is None:
        peak = last.peak if last is not None else None
        named = [("memory, step's peak", peak, ink(colors.muted))]
    else:
        name = ("peak allocated" if width >= _WORDS else "allocated") if lesson else "peak"
        named = [(name, last.peak, ink(colors.accent))]
        named.append(("reserved", last.reserved, ink(colors.muted)))
    if last is not None and last.other is not None:
        named.append(("other", last.other, ink(colors.fills[ALL_CATEGORIES.index("other")])))
    wide = width >= _WORDS
    size, room = (units.size, 10 if wide else 8) if wide or lesson else (units.short, 5)
    title = Text()
    for word, value, style in named:
        piece = Text().append(f"{'  ' if title else ''}{word}", style)
        if last is not None:
            text = units.NOTHING if value is None else size(value)
            piece.append(f" {text:>{room}}", ink(colors.text))
        if title.cell_len + piece.cell_len <= width:
            title.append_text(piece)
    return title
