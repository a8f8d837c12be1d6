"""The text of the help, in one column or two."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from textwrap import wrap

from rich.text import Text
from textual.geometry import Size
from vramtop.protocol.split import ALL_CATEGORIES
from vramtop.tui.state.state import State
from vramtop.tui.terminal.palette import GLYPHS, ink, swatch
from vramtop.tui.words.keys import Key, grouped
from vramtop.tui.words.vocabulary import Entry, Section

from .panel import Panel

_TWO_COLUMNS, _ONE_COLUMN = 100, 48
_KEYS, _GAP = 44, 4
_KEY, _WORD = 7, 18
_EVERYWHERE = Entry("ctrl+p", "all of these by name")


class HelpText(Panel[bool]):
    """The keys by their groups, then the sections; beside each other where it is wide."""

    def __init__(self, keys: Sequence[Key], sections: Sequence[Section]) -> None:
        super().__init__()
        self._keys = keys
        self._sections = sections

    def pick(self, state: State) -> bool:
        """Nothing in here depends on the state."""
        del state
        return True

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """The number of all lines; those that do not fit are scrolled to."""
        del container, viewport
        return len(self._text(width))

    def draw(self, shown: bool, width: int, height: int) -> Text:
        """All lines."""
        del shown, height
        return Text("\n").join(self._text(width))

    def _text(self, width: int) -> list[Text]:
        if width < _TWO_COLUMNS or not self._sections:
            words = self._words(width)
            if width < _ONE_COLUMN:
                return [*(line for group in self._groups(width) for line in group), *words]
            return [*self._two(self._groups((width - _GAP) // 2), width), *words]
        keys = [line for group in self._groups(_KEYS - _GAP) for line in group]
        return _beside(keys, self._words(width - _KEYS), _KEYS)

    def _two(self, groups: Sequence[list[Text]], width: int) -> list[Text]:
        """The groups of keys in two columns: the first two groups left, the others right."""
        left = [line for group in groups[:2] for line in group]
        right = [line for group in groups[2:] for line in group]
        return _beside(left, right, (width + _GAP) // 2)

    def _groups(self, width: int) -> list[list[Text]]:
        """Each group of keys, under its name."""
        groups = []
        for name, keys in grouped(self._keys).items():
            entries = [Entry(key.shown, key.help) for key in keys]
            if name == "screen":
                entries.append(_EVERYWHERE)
            groups.append(self._section(Section(name, tuple(entries)), width, _KEY))
        return groups

    def _words(self, width: int) -> list[Text]:
        return [line for each in self._sections for line in self._section(each, width, _WORD)]

    def _section(self, section: Section, width: int, words: int) -> list[Text]:
        """A heading, and for each entry its word and its text, in as many lines as that takes."""
        colors = self.palette
        lines = [Text(section.title, ink(colors.muted))]
        for entry in section.entries:
            room = max(1, width - words)
            pieces = [piece for line in entry.text.splitlines() for piece in wrap(line, room)]
            for row, piece in enumerate(pieces):
                line = self._word(entry) if row == 0 else Text()
                if row == 1:
                    line.append(entry.figure, ink(colors.muted))
                lines.append(
                    line.append(" " * (words - line.cell_len)).append(piece, ink(colors.text))
                )
        return [*lines, Text()]

    def _word(self, entry: Entry) -> Text:
        colors, word = self.palette, Text()
        if entry.category is not None:
            index = ALL_CATEGORIES.index(entry.category)
            word.append(GLYPHS[entry.category], swatch(colors, index)).append(" ")
        return word.append(entry.word, ink(colors.accent, bold=True))


def _beside(left: Sequence[Text], right: Sequence[Text], at: int) -> list[Text]:
    """Lines of which the right ones begin in the column `at`."""
    lines = []
    for one, other in zip_longest(left, right, fillvalue=Text()):
        line = one.copy()
        lines.append(line.append(" " * (at - line.cell_len)).append_text(other))
    return lines
