"""The categories in two or three lines, where there is no room for a row each."""

from __future__ import annotations

from rich.text import Text
from textual.events import Click
from vramtop.protocol.split import ALL_CATEGORIES, Category
from vramtop.tui.state.categories import CategoryFacts
from vramtop.tui.state.state import State
from vramtop.tui.terminal.palette import GLYPHS, ink, swatch
from vramtop.tui.widgets.panel import Panel
from vramtop.tui.words import units
from vramtop.tui.words.wording import NAMES

from .category_table import StepFacts, now, step_facts
from .labels import SHORT
from .picked import Picked

_GAP, _ROOMY = 2, 58  # the gap is smaller in narrower panels
_SIZE, _LITTLE, _SHARE, _VERDICT = 11, 7, 6, 12
_LEAST: dict[Category, str] = {
    "parameters": "par",
    "gradients": "grad",
    "optimizer_state": "opt",
    "batch_data": "data",
    "activations": "act",
    "temporaries": "temp",
    "other": "oth",
}


class CategoryBrief(Panel[StepFacts]):
    """All categories in few lines, several in each; a click on one chooses it."""

    def on_click(self, event: Click) -> None:
        """Choose the category at that place."""
        width, height = self.content_size
        listed = self._shown.listed if self._shown else ()
        columns = -(-len(listed) // max(1, height))
        place = event.y * columns + min(columns - 1, event.x * columns // max(1, width))
        if 0 <= place < len(listed):
            self.post_message(Picked(listed[place]))

    def pick(self, state: State) -> StepFacts:
        """The same facts as in the table."""
        return step_facts(state)

    def draw(self, shown: StepFacts, width: int, height: int) -> Text:
        """Name and bytes; with more room the share, and how far the formula is from them."""
        columns = -(-len(shown.listed) // height)
        gap = _GAP if width >= _ROOMY else 1
        room = (width - gap * (columns - 1)) // columns
        lines = {line.category: line for line in shown.lines}
        cells = [self._cell(shown, name, lines.get(name), room) for name in shown.listed]
        rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
        return Text("\n").join(Text(" " * gap).join(row) for row in rows)

    def _cell(
        self, shown: StepFacts, category: Category, line: CategoryFacts | None, room: int
    ) -> Text:
        """A category in exactly `room` columns."""
        colors, split, chosen = self.palette, now(shown), category == shown.chosen
        cell = Text().append(GLYPHS[category], swatch(colors, ALL_CATEGORIES.index(category)))
        cell.append("▸" if chosen else " ", ink(colors.accent, bold=True))
        names = (NAMES[category], SHORT[category], _LEAST[category])
        widths = [max(map(len, table.values())) for table in (NAMES, SHORT, _LEAST)]
        size = _SIZE if room >= 2 + widths[1] + _SIZE else _LITTLE
        size = size if room >= 2 + widths[1] + size else max(0, room - 2 - widths[2])
        fitting = [place for place, name in enumerate(widths) if 2 + name + size <= room]
        place = fitting[0] if fitting else 2
        color = colors.accent if chosen else colors.text
        cell.append(f"{names[place]:<{widths[place]}}", ink(color, bold=chosen))
        here = split.of(category) if split else None
        write = units.size if size == _SIZE else units.short
        text = units.NOTHING if here is None else write(here)
        cell.append(f"{text:>{size}}", ink(colors.text if here else colors.faint, bold=bool(here)))
        if split and here is not None and room - cell.cell_len >= _SHARE:
            cell.append(f"{units.share(here, split.total):>{_SHARE}}", ink(colors.muted))
        if line is not None and room - cell.cell_len >= _VERDICT:
            cell.append("  ").append_text(self._verdict(line))
        cell.truncate(room)
        cell.pad_right(room - cell.cell_len)
        return cell

    def _verdict(self, line: CategoryFacts) -> Text:
        if line.difference is None:
            return Text()
        if line.difference.bytes == 0:
            return Text("✓", ink(self.palette.good, bold=True))
        figure = units.difference(line.difference.bytes)
        return Text(figure if len(figure) <= _VERDICT - 2 else "≠", ink(self.palette.muted))
