"""What all panels have in common."""

from __future__ import annotations

from abc import abstractmethod
from itertools import zip_longest
from typing import ClassVar, Generic, TypeVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.filter import ANSIToTruecolor
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.style import Style as Background
from vramtop.tui.state.state import State
from vramtop.tui.terminal.palette import Palette, ink, palette

from .cached import CachedWidget
from .changes import changes

_Shown = TypeVar("_Shown")


class Panel(CachedWidget, Generic[_Shown]):
    """A part of the screen that is drawn again only when the facts it shows have changed.

    A subclass says which facts of the state it shows (`pick`), and how they look (`draw`). `pick`
    computes all that follows from the state, once for each change. `draw` may run again with the
    same facts, in another size or theme. Only cells that have changed are sent to the terminal. A
    panel that is `LIVE` is shown more often; `app.painting` says when.
    """

    LIVE: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self._shown: _Shown | None = None
        self._drawn: list[tuple[Text, Style, int]] = []  # line, what it is drawn on, width
        self._lines: list[Strip] = []
        self._room = Size(0, 0)  # the size that the lines were drawn for

    def show(self, state: State) -> None:
        """Show this state, if the facts picked from it are others than before."""
        shown = self.pick(state)
        if shown != self._shown:
            self._shown = shown
            self.draw_again()

    def draw_again(self) -> None:
        """Draw the same facts again, as the theme or the size makes them look now."""
        before, room = self._lines, self._room
        self._draw_lines()
        if room != self._room:
            self.refresh()
        elif changed := changes(before, self._lines):
            self.refresh(*changed)

    @abstractmethod
    def pick(self, state: State) -> _Shown:
        """The facts of the state that are shown here, and what follows from them."""

    @abstractmethod
    def draw(self, shown: _Shown, width: int, height: int) -> Text | list[Strip]:
        """These facts in `width` columns and at most `height` lines.

        A `Text` is rendered by the panel, which takes as long as everything else. What changes
        every second or more often is therefore drawn as `Strip`s, which are rendered already.
        """

    def render_line(self, y: int) -> Strip:
        """Line `y` of what was drawn last."""
        if self._room != self.content_size:
            self._draw_lines()
        if y < len(self._lines):
            return self._lines[y]
        return Strip.blank(self._room.width, self._paper)

    def _render_again(self, crop: Region) -> list[Strip]:
        """The lines as Textual renders them, which takes longer.

        It draws borders, which no panel has, and looks for a terminal's own colours to replace,
        which panels have only in the theme where they stay.
        """
        width, (base, background) = self.size.width, self.background_colors
        blank = Background(background=base + background).rich_style
        lines = [self.render_line(y).adjust_cell_length(width, blank) for y in crop.line_range]
        for line_filter in self.get_line_filters():
            if not isinstance(line_filter, ANSIToTruecolor):
                lines = [line.apply_filter(line_filter, background) for line in lines]
        if crop.column_span == (0, width):
            return lines
        return [line.crop(*crop.column_span) for line in lines]

    def _draw_lines(self) -> None:
        self._room = self.content_size
        width, height = self._room
        before, strips = self._drawn, self._lines
        self._drawn, self._lines = [], []
        if self._shown is not None and width > 0 and height > 0:
            picture = self.draw(self._shown, width, height)
            if isinstance(picture, list):
                self._lines = picture[:height]
                return
            # Rich renders a text without spans without its own style.
            style = self._paper + self.app.console.get_style(picture.style)
            self._drawn = [(line, style, width) for line in picture.split("\n")[:height]]
            # Most lines are as they were before, and need not be rendered.
            for old, new, strip in zip_longest(before, self._drawn, strips):
                if new is not None:
                    self._lines.append(strip if new == old else self._rendered_line(*new))

    def strip(self, line: Text, width: int) -> Strip:
        """One line, rendered."""
        return self._rendered_line(
            line, self._paper + self.app.console.get_style(line.style), width
        )

    def _rendered_line(self, line: Text, style: Style, width: int) -> Strip:
        segments = Segment.apply_style(line.render(self.app.console), style)
        return Strip(Segment.simplify(segments)).crop(0, width)

    @property
    def _paper(self) -> Style:
        """The style below all text: with NO_COLOR, Textual takes away only colours that are set."""
        return ink(self.palette.text, self.palette.background)

    @property
    def palette(self) -> Palette:
        """The colours of the theme in force."""
        app = self.app
        name = "terminal" if app.no_color else app.theme
        return palette(name, patterned=app.has_class("patterned"))


def between(left: Text, right: Text, width: int) -> Text:
    """One line with these texts at its ends; where both are too long, the left one is cut."""
    room = width - right.cell_len - 1
    if room < 1:
        right.truncate(width)
        return right
    left.truncate(room, overflow="ellipsis")
    return left.append(" " * (width - left.cell_len - right.cell_len)).append_text(right)
