"""The chosen category: its meaning, why it differs from the formula, its largest tensors."""

from __future__ import annotations

from textwrap import wrap

import msgspec
from rich.text import Text
from vramtop.protocol.split import ALL_CATEGORIES, Category, Tensors
from vramtop.tui.state.categories import CategoryFacts
from vramtop.tui.state.state import State
from vramtop.tui.terminal.palette import GLYPHS, ink, swatch
from vramtop.tui.widgets.panel import Panel, between
from vramtop.tui.words import units
from vramtop.tui.words.meanings import meanings
from vramtop.tui.words.overhead import overhead
from vramtop.tui.words.wording import NAMES

from .category_table import UNEXPLAINED
from .tensor_lines import tensor_lines

_LEAST = 3  # the head of the list, its largest tensor, and how many there are besides


class ChosenFacts(msgspec.Struct, frozen=True):
    """The chosen category. The other fields are set once a step was measured.

    `whole` is the sum of all high waters in bytes. `tensors` is None where the worker does not tell
    them. `overhead` is what its allocator holds besides the categories. `formulas` tells that the
    program expects bytes of some category. `elsewhere` tells that the rows show a moment of the
    step that is not the peak.
    """

    category: Category
    lesson: bool
    line: CategoryFacts | None = None
    whole: int = 0
    formulas: bool = False
    tensors: Tensors | None = None
    overhead: tuple[str, ...] = ()
    elsewhere: bool = False


class TensorTable(Panel[ChosenFacts | None]):
    """The tensors of the category at its high water, whatever moment the rows show."""

    def pick(self, state: State) -> ChosenFacts | None:
        """What is known of the chosen category; None where none is chosen."""
        category, measured, lines = state.chosen, state.measured, state.categories
        lesson = state.lesson is not None
        if category is None:
            return None
        if measured is None or not lines:
            return ChosenFacts(category, lesson)
        return ChosenFacts(
            category=category,
            lesson=lesson,
            line=lines[state.listed.index(category)],
            whole=measured.anatomy.high_water.total,
            formulas=any(line.expected for line in lines),
            tensors=measured.tensors.get(category),
            overhead=overhead(measured.allocator) if measured.allocator else (),
            elsewhere=state.seen is not None,
        )

    def draw(self, shown: ChosenFacts | None, width: int, height: int) -> Text:
        """The list gets room first, then the words."""
        if shown is None:
            return Text()
        colors = self.palette
        words = self._words(shown, width)
        besides = [piece for note in shown.overhead for piece in _wrapped(note, width)]
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

    def _title(self, shown: ChosenFacts, width: int) -> Text:
        """The category, its bytes, and their share of what all high waters add up to."""
        colors, index = self.palette, ALL_CATEGORIES.index(shown.category)
        title = Text().append(GLYPHS[shown.category], swatch(colors, index))
        title.append(f" {NAMES[shown.category]}", ink(colors.accent, bold=True))
        if shown.line is None or shown.line.high_water is None:
            return title
        most = shown.line.high_water
        figure = Text(units.size(most), ink(colors.text, bold=True))
        figure.append(f" high water, {units.share(most, shown.whole)} of all", ink(colors.muted))
        return between(title, figure, width)

    def _words(self, shown: ChosenFacts, width: int) -> list[Text]:
        """The meaning, then the difference. The meaning is the first to be left out."""
        colors = self.palette
        words = [
            Text(
                units.cut(meanings(shown.category, lesson=shown.lesson)[0], width),
                ink(colors.muted),
            )
        ]
        if shown.line is not None and shown.formulas:
            style = ink(colors.trouble if shown.line.unexplained else colors.text)
            for piece in _wrapped(_difference(shown.line, lesson=shown.lesson), width):
                words.append(Text(piece, style))
                if piece.startswith("✓"):
                    words[-1].stylize(ink(colors.good, bold=True), 0, 1)
        if shown.elsewhere:
            note = "the rows show one moment, the list the high water"
            words += [Text(piece, ink(colors.accent)) for piece in _wrapped(note, width)]
        return words

    def _listed(self, shown: ChosenFacts, width: int, room: int) -> list[Text]:
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


def _difference(line: CategoryFacts, *, lesson: bool) -> str:
    """How many bytes the formula leaves out, with the whole reason."""
    if line.expected is None or line.difference is None:
        return "the formula leaves them out" if lesson else "nobody can tell how many to expect"
    if line.difference.bytes == 0:
        return f"✓ {line.expected.formula}, to the byte"
    reason = (line.difference.reasons or UNEXPLAINED)[0]
    return f"{units.difference(line.difference.bytes)}  {reason}"


def _wrapped(note: str, width: int) -> list[str]:
    return wrap(note, width, subsequent_indent="  ")
