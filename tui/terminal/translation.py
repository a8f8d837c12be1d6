"""A filter that puts what Textual has drawn into the characters that the terminal has."""

from __future__ import annotations

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from .capabilities import Repertoire
from .glyphs import drawn


class Translation(LineFilter):
    """The last of all filters, so that dialogs, borders and toasts pass through it too."""

    def __init__(self, characters: Repertoire) -> None:
        super().__init__(enabled=characters != "unicode")
        self._characters = characters

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same segments, each as wide as before."""
        del background
        return [self._drawn(segment) for segment in segments]

    def _drawn(self, segment: Segment) -> Segment:
        if segment.text.isascii():
            return segment
        # Several characters may share a cell. Each is translated; those beyond the width are cut.
        width = segment.cell_length
        text = drawn(segment.text, self._characters)[:width].ljust(width)
        return Segment(text, segment.style, segment.control)
