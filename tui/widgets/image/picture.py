"""A training image as it looks, out of the de-normalised tensor; and which one it is."""

from __future__ import annotations

from rich.segment import Segment
from rich.text import Text
from textual.strip import Strip
from vramtop.protocol.lesson.messages import Data, Picture
from vramtop.tui.state.state import State
from vramtop.tui.terminal.palette import ink
from vramtop.tui.widgets.panel import Panel, between

from . import graphics
from .pixels import Pixels, characters, half_blocks, scale

_OF = 100  # from this width on there is room for how many images there are
_Shown = tuple[Picture | None, Data | None]


def _pick(state: State) -> _Shown:
    return state.picture, state.configured.data if state.configured else None


class PicturePanel(Panel[_Shown]):
    """The image, as large as its room lets whole pixels be.

    `real` says that the terminal can show real pixels.
    """

    def __init__(self, *, real: bool) -> None:
        super().__init__()
        self._real = real
        self._before_text: list[Segment] = []  # what sends the image that is drawn

    @property
    def before(self) -> int | None:
        """The index of the image before this one; before the first comes the last."""
        picture, data = self._shown or (None, None)
        return None if picture is None or data is None else (picture.index - 1) % data.train_images

    def pick(self, state: State) -> _Shown:
        """The image that the worker sent last, and the data it belongs to."""
        return _pick(state)

    def draw(self, shown: _Shown, width: int, height: int) -> Text:
        """Real pixels, or two pixels a cell, or characters where there are no colours or blocks."""
        (picture, _), colors = shown, self.palette
        self._before_text = []
        if picture is None:
            return Text("waiting for an image…", ink(colors.muted))
        pixels = _pixels(picture)
        times = scale(pixels, width, height)
        if times == 0:
            return Text("no room for the image", ink(colors.muted))
        if self.app.no_color or self.app.has_class("patterned"):
            return characters(pixels, times, dark=self.app.current_theme.dark)
        if self._real:
            times = min(times, graphics.MOST // max(pixels.width, pixels.height))
            columns, rows = pixels.width * times, pixels.height * times // 2
            self._before_text = [graphics.transmission(pixels, columns, rows)]
            return graphics.placeholders(pixels, columns, rows)
        return half_blocks(pixels, times)

    def render_line(self, y: int) -> Strip:
        """A line of it; with the first one goes what sends the image."""
        strip = super().render_line(y)
        return Strip([*self._before_text, *strip], strip.cell_length) if y == 0 else strip


def _pixels(picture: Picture) -> Pixels:
    height, width, channels = picture.stages[-1].shape
    return Pixels(picture.pixels, height, width, channels)


class ImageLine(Panel[_Shown]):
    """Which image it is, what it shows, and where it is from."""

    def pick(self, state: State) -> _Shown:
        """The image, and the data it belongs to."""
        return _pick(state)

    def draw(self, shown: _Shown, width: int, height: int) -> Text:
        """One line; drawn images are called synthetic in any room."""
        del height
        (picture, data), colors, line = shown, self.palette, Text()
        if picture is None or data is None:
            return line
        of = f" of {data.train_images:,}" if width >= _OF else ""
        for name, value, more in (
            ("image", f"{picture.index:,}", of),
            ("label", str(picture.label), ""),
            ("class", picture.class_name, ""),
        ):
            line.append(f"{'  ' if line else ''}{name} ", ink(colors.muted))
            line.append(value, ink(colors.text, bold=True)).append(more, ink(colors.muted))
        forms = (data.description, data.description.partition(",")[0], data.source)
        room = width - line.cell_len - 1
        told = next((form for form in forms if len(form) <= room), data.source)
        synthetic = picture.source == "synthetic"
        return between(line, Text(told, ink(colors.trouble if synthetic else colors.muted)), width)
