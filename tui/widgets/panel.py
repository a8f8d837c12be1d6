"""What all parts of the main screen have in common."""

from __future__ import annotations

from abc import abstractmethod
from itertools import zip_longest
from typing import ClassVar, Generic, TypeVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.geometry import Size
from textual.strip import Strip
from vramtop.tui.state.state import State
from vramtop.tui.terminal.palette import Palette, ink, palette

from .changes import changes
from .still import Still

_Shown = TypeVar("_Shown")


class Panel(Still, Generic[_Shown]):
    """A part of the screen that is drawn again only when what it shows has changed.

    And only the cells that have changed are sent, for those who look through a slow line. Where
    `LIVE`, each sample's change is shown; elsewhere, those of a second at once.
    """

    LIVE: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self._shown: _Shown | None = None
        self._drawn: list[tuple[Text, Style, int]] = []  # line, what it is drawn on, width
        self._lines: list[Strip] = []
        self._room = Size(0, 0)  # that the lines were drawn for

    def show(self, state: State) -> None:
        """Take from the state what is shown here."""
        shown = self.pick(state)
        if shown != self._shown:
            self._shown = shown
            self.draw_again()

    def draw_again(self) -> None:
        """Draw what was shown last as it looks now."""
        before, room = self._lines, self._room
        self._draw_lines()
        if room != self._room:
            self.refresh()
        elif changed := changes(before, self._lines):
            self.refresh(*changed)

    @abstractmethod
    def pick(self, state: State) -> _Shown:
        """What of the state is shown here."""

    @abstractmethod
    def draw(self, shown: _Shown, width: int, height: int) -> Text | Strip:
        """The picture of it, in so much room.

        A text is rendered here. That takes as long as all the rest, and a line that changes several
        times a second comes rendered.
        """

    def render_line(self, y: int) -> Strip:
        """A line of what was shown last."""
        if self._room != self.content_size:
            self._draw_lines()
        if y < len(self._lines):
            return self._lines[y]
        return Strip.blank(self._room.width, self._paper)

    def _draw_lines(self) -> None:
        self._room = self.content_size
        width, height = self._room
        before, strips = self._drawn, self._lines
        self._drawn, self._lines = [], []
        if self._shown is not None and width > 0 and height > 0:
            picture = self.draw(self._shown, width, height)
            if isinstance(picture, Strip):
                self._lines = [picture]
                return
            # A text without spans renders without its own style.
            style = self._paper + self.app.console.get_style(picture.style)
            self._drawn = [(line, style, width) for line in picture.split("\n")[:height]]
            # Of most pictures, most lines are as they were, and need not be rendered.
            for old, new, strip in zip_longest(before, self._drawn, strips):
                if new is not None:
                    self._lines.append(strip if new == old else self._rendered_line(*new))

    def _rendered_line(self, line: Text, style: Style, width: int) -> Strip:
        segments = Segment.apply_style(line.render(self.app.console), style)
        return Strip(Segment.simplify(segments)).crop(0, width)

    @property
    def _paper(self) -> Style:
        """What is drawn on: without it, no colours could be taken away where none are wanted."""
        return ink(self.palette.text, self.palette.background)

    @property
    def palette(self) -> Palette:
        """The colours of the theme in force."""
        app = self.app
        name = "terminal" if app.no_color else app.theme
        return palette(name, patterned=app.has_class("patterned"))


def between(left: Text, right: Text, width: int) -> Text:
    """One line with these at its ends; the right one keeps its place, the left one is cut."""
    room = width - right.cell_len - 1
    if room < 1:
        right.truncate(width)
        return right
    left.truncate(room, overflow="ellipsis")
    return left.append(" " * (width - left.cell_len - right.cell_len)).append_text(right)
