"""A training image, drawn from its de-normalised tensor, and a line that names it."""

from __future__ import annotations

from rich.text import Text
from textual.strip import Strip
from vramtop.protocol.lesson.messages import Data, Picture
from vramtop.tui.state.lesson.facts import known
from vramtop.tui.state.state import State
from vramtop.tui.terminal.palette import ink
from vramtop.tui.widgets.panel import Panel, between

from . import graphics
from .pixels import Pixels, characters, half_blocks, scale

_OF = 100  # the width from which there is room for the number of all images
_Shown = tuple[Picture | None, Data | None]


def _pick(state: State) -> _Shown:
    lesson = known(state.lesson)
    return lesson.picture, lesson.configured.data if lesson.configured else None


class PicturePanel(Panel[_Shown]):
    """The image, as large as it fits with whole pixels.

    `real` says that the terminal can show real pixels.
    """

    def __init__(self, *, real: bool) -> None:
        super().__init__()
        self._real = real
        self._transmission = ""  # the commands that send the image

    @property
    def before(self) -> int | None:
        """The index of the image before this one; before the first comes the last."""
        picture, data = self._shown or (None, None)
        return None if picture is None or data is None else (picture.index - 1) % data.train_images

    def pick(self, state: State) -> _Shown:
        """The image that the worker sent last, and the data it belongs to."""
        return _pick(state)

    def draw(self, shown: _Shown, width: int, height: int) -> Text:
        """Real pixels, or half blocks; without colours or block characters, ASCII characters."""
        (picture, _), colors = shown, self.palette
        self._transmission = ""
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
            self._transmission = graphics.transmission(pixels, columns, rows)
            return graphics.placeholders(pixels, columns, rows)
        return half_blocks(pixels, times)

    def render_line(self, y: int) -> Strip:
        """Line `y`; with the first one the image is sent, before that line.

        That can be no part of the line: Textual cuts lines, and would cut commands by their length.
        """
        strip = super().render_line(y)
        driver = self.app._driver  # Textual has no other way to send what is no cell
        if y == 0 and self._transmission and driver is not None:
            driver.write(self._transmission)
        return strip


def _pixels(picture: Picture) -> Pixels:
    height, width, channels = picture.stages[-1].shape
    return Pixels(picture.pixels, height, width, channels)


class ImageLine(Panel[_Shown]):
    """The image's index, its label, and the dataset it is from."""

    def pick(self, state: State) -> _Shown:
        """The image, and the data it belongs to."""
        return _pick(state)

    def draw(self, shown: _Shown, width: int, height: int) -> Text:
        """One line; however narrow, it says of drawn images that they are synthetic."""
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
        origin = next((form for form in forms if len(form) <= room), data.source)
        synthetic = picture.source == "synthetic"
        return between(
            line, Text(origin, ink(colors.trouble if synthetic else colors.muted)), width
        )
