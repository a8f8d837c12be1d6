"""The chosen category: what it means, why it differs from the formula, its largest tensors."""

from __future__ import annotations

from textwrap import wrap

import msgspec
from rich.text import Text
from vramtop.protocol.split import CATEGORIES, Category, Tensors
from vramtop.tui.state.comparison import Line
from vramtop.tui.state.state import State
from vramtop.tui.terminal.palette import GLYPHS, ink, swatch
from vramtop.tui.widgets.panel import Panel, between
from vramtop.tui.words import units
from vramtop.tui.words.wording import NAMES

from .beside import beside
from .legend import meanings
from .rows import UNEXPLAINED
from .tensor_lines import tensor_lines

_LEAST = 3  # the head of the list, its largest tensor, and how many there are besides


class View(msgspec.Struct, frozen=True):
    """The chosen category; all else only once it is measured.

    `whole` is the sum of all high waters in bytes, `tensors` None where the worker does not tell
    them, `beside` what its allocator holds besides; `formulas` tells whether the program expects
    anything of any category, `elsewhere` that the rows show another moment of the step.
    """

    category: Category
    lesson: bool
    line: Line | None = None
    whole: int = 0
    formulas: bool = False
    tensors: Tensors | None = None
    beside: tuple[str, ...] = ()
    elsewhere: bool = False


class TensorTable(Panel[View | None]):
    """What the category is made of at its high water, whatever moment the rows show."""

    def pick(self, state: State) -> View | None:
        """What is known of the chosen category; None where none is chosen."""
        category, measured, lines = state.chosen, state.measured, state.comparison
        lesson = state.lesson is not None
        if category is None:
            return None
        if measured is None or not lines:
            return View(category, lesson)
        return View(
            category=category,
            lesson=lesson,
            line=lines[CATEGORIES.index(category)],
            whole=measured.anatomy.high_water.total,
            formulas=any(line.expected for line in lines),
            tensors=measured.tensors.get(category),
            beside=beside(measured.allocator) if measured.allocator else (),
            elsewhere=state.seen is not None,
        )

    def draw(self, shown: View | None, width: int, height: int) -> Text:
        """Words give way to the list where there is not room for both."""
        if shown is None:
            return Text()
        colors = self.palette
        words = self._words(shown, width)
        besides = [piece for note in shown.beside for piece in _wrapped(note, width)]
        listed = self._listed(shown, width, height)
        room = height - 1 - len(listed)
        if len(words) > room:
            words = words[1:]
        words = words[: max(0, height - 1 - min(len(listed), _LEAST))]
        bottom = [Text(note, ink(colors.muted)) for note in besides]
        if len(words) + len(bottom) > room:
            bottom = []
        air = room - len(words) - len(bottom)
        if air > 0:
            words.append(Text())
        if bottom and air > 1:
            bottom.insert(0, Text())
        listed = self._listed(shown, width, height - 1 - len(words) - len(bottom))
        lines = [self._title(shown, width), *words, *listed, *bottom]
        return Text("\n").join(lines[:height])

    def _title(self, shown: View, width: int) -> Text:
        """The category, its bytes, and their share of what all high waters add up to."""
        colors, index = self.palette, CATEGORIES.index(shown.category)
        title = Text().append(GLYPHS[shown.category], swatch(colors, index))
        title.append(f" {NAMES[shown.category]}", ink(colors.accent, bold=True))
        if shown.line is None or shown.line.high_water is None:
            return title
        most = shown.line.high_water
        figure = Text(units.size(most), ink(colors.text, bold=True))
        figure.append(f" high water, {units.share(most, shown.whole)} of all", ink(colors.muted))
        return between(title, figure, width)

    def _words(self, shown: View, width: int) -> list[Text]:
        """What the category means first, which is the first to be left out."""
        colors = self.palette
        words = [
            Text(
                units.fit(meanings(shown.category, lesson=shown.lesson)[0], width),
                ink(colors.muted),
            )
        ]
        if shown.line is not None and shown.formulas:
            style = ink(colors.trouble if shown.line.unexplained else colors.text)
            for piece in _wrapped(_difference(shown.line), width):
                words.append(Text(piece, style))
                if piece.startswith("✓"):
                    words[-1].stylize(ink(colors.good, bold=True), 0, 1)
        if shown.elsewhere:
            note = "the rows show one moment, the list the high water"
            words += [Text(piece, ink(colors.accent)) for piece in _wrapped(note, width)]
        return words

    def _listed(self, shown: View, width: int, room: int) -> list[Text]:
        """The tensors, or why there are none."""
        colors = self.palette
        if shown.line is None or shown.tensors is None or not shown.tensors.largest:
            note = "measuring…"
            if shown.line is not None:
                note = "none at any moment of the step"
                note = note if shown.tensors else "the worker does not tell its tensors"
            return [Text(note, ink(colors.muted))]
        title = "at high water" + (f", in {shown.line.phase}" if shown.line.phase else "")
        return tensor_lines(shown.tensors, title, width, room, colors)


def _difference(line: Line) -> str:
    """What of it the formula does not say, and all of the reason."""
    if line.expected is None or line.difference is None:
        return "the formula leaves them out"
    if line.difference.bytes == 0:
        return f"✓ {line.expected.formula}, to the byte"
    reason = (line.difference.reasons or UNEXPLAINED)[0]
    return f"{units.difference(line.difference.bytes)}  {reason}"


def _wrapped(note: str, width: int) -> list[str]:
    return wrap(note, width, subsequent_indent="  ")
