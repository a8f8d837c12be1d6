"""A row a category: bytes, share, the lesson's formula beside it, and why they differ."""

from __future__ import annotations

import msgspec
from rich.text import Text
from textual.events import Click
from vramtop.protocol.lesson.messages import Configured
from vramtop.protocol.messages import Measured
from vramtop.protocol.split import CATEGORIES, Category, Split
from vramtop.tui.state.comparison import UNEXPLAINED, Line, compare, gives, written
from vramtop.tui.state.moments import Spot
from vramtop.tui.state.state import Held, State
from vramtop.tui.terminal.palette import GLYPHS, ink, swatch
from vramtop.tui.widgets.panel import Panel
from vramtop.tui.words import units
from vramtop.tui.words.wording import NAMES

from .columns import HERE, NAME, WATER, Columns, columns, number
from .legend import MEANINGS
from .picked import Picked


class View(msgspec.Struct, frozen=True):
    """What the rows are made from."""

    configured: Configured | None
    measured: Measured | None
    held: Spot | Held | None
    chosen: Category | None


def view(state: State) -> View:
    """The latest anatomy, and the moment of the step that is seen."""
    # The step's number alone changes nothing here.
    measured = state.measured and msgspec.structs.replace(state.measured, step=0, tensors={})
    return View(state.configured, measured, state.seen, state.chosen)


class Rows(Panel[View]):
    """A header, six categories and their total; a click on a category says which one it is."""

    def on_click(self, event: Click) -> None:
        """Say whose row it is, below the header."""
        if 1 <= event.y <= len(CATEGORIES):
            self.post_message(Picked(CATEGORIES[event.y - 1]))

    def pick(self, state: State) -> View:
        """The latest anatomy, and the moment of the step that is seen."""
        return view(state)

    def draw(self, shown: View, width: int, height: int) -> Text:
        """The table; in a narrow place some columns are left out."""
        del height
        configured, measured = shown.configured, shown.measured
        if configured is None:
            return self._legend(shown, width)
        lines = {line.category: line for line in compare(configured, measured)} if measured else {}
        formulas = {category: written(configured, category) for category in CATEGORIES}
        has = columns(width, max(map(len, formulas.values())))
        unit, split, whole = _unit(shown), now(shown), _total(shown)
        muted = ink(self.palette.muted)
        table = self._head(shown, unit, has)
        for category in CATEGORIES:
            row, line = self._title(category, shown.chosen), lines.get(category)
            here = getattr(split, category) if split else None
            most = line.high_water if line else None
            self._numbers(row, shown, has, unit=unit, here=here, whole=whole, most=most)
            row.append(f"  {formulas[category]:<{has.formula - 2}}" if has.formula else "", muted)
            figure = unit.text(gives(configured, category))
            row.append(f"{figure:>{has.gives}}" if has.gives else "", muted)
            if line:
                row.append("  ").append_text(self._verdict(line, width - row.cell_len))
            elif not has.gives and figure != units.NOTHING:
                row.append(f"  = {figure}", muted)
            table.append("\n").append_text(row)
        return table.append("\n").append_text(self._sums(shown, configured, has, unit, width))

    def _title(self, category: Category, chosen: Category | None) -> Text:
        """What stands for the category in the pictures, and its name; the chosen one is marked."""
        index, here = CATEGORIES.index(category), category == chosen
        row = Text().append(GLYPHS[category], swatch(self.palette, index))
        row.append("▸" if here else " ", ink(self.palette.accent, bold=True))
        color = self.palette.accent if here else self.palette.text
        return row.append(f"{NAMES[category]:<{NAME - 2}}", ink(color, bold=here))

    def _legend(self, shown: View, width: int) -> Text:
        """What the categories mean, until there are numbers."""
        muted = ink(self.palette.muted)
        table = Text("  what one step of training holds", muted)
        for category in CATEGORIES:
            row = self._title(category, shown.chosen).append("  ")
            fitting = (told for told in MEANINGS[category] if len(told) <= width - row.cell_len)
            table.append("\n").append_text(row).append(next(fitting, ""), muted)
        return table

    def _numbers(
        self,
        row: Text,
        shown: View,
        has: Columns,
        *,
        unit: units.Column,
        here: int | None,
        whole: int | None,
        most: int | None,
    ) -> None:
        """Bytes at the moment that is shown, their share of the `whole`, and the high water."""
        colors = self.palette
        if here is None or whole is None:
            row.append(" " * has.numbers)  # for what is about to be measured
            return
        figure, share = has.figures(unit, here, whole)
        row.append(figure, ink(colors.text, bold=True) if here else ink(colors.faint))
        row.append(share, ink(colors.muted if here else colors.faint))
        water = units.NOTHING if most is None else number(unit, most)
        # While a step is held, that moment stands out.
        calm = colors.muted if shown.held else colors.text
        row.append(f"{water:>{WATER}}", ink(calm if most else colors.faint))

    def _verdict(self, line: Line, room: int) -> Text:
        """✓, or the difference and as much of the reason as there is room for."""
        colors = self.palette
        if line.difference == 0:
            told = next((f" {each}" for each in line.reasons if len(each) + 2 <= room), "")
            return Text("✓", ink(colors.good, bold=True)).append(told, ink(colors.muted))
        told = "" if line.difference is None else f"{units.difference(line.difference)} "
        reason = next((each for each in line.reasons if len(told + each) <= room), "")
        trouble = line.reasons == UNEXPLAINED
        text = Text().append(units.fit(told, room), ink(colors.trouble if trouble else colors.text))
        return text.append(reason, ink(colors.trouble if trouble else colors.muted))

    def _sums(
        self, shown: View, configured: Configured, has: Columns, unit: units.Column, width: int
    ) -> Text:
        """The totals: high water adds up to more than the peak, since not all comes at once."""
        colors, here = self.palette, _total(shown)
        row = Text().append(f"  {'Total':<{NAME - 2}}", ink(colors.text, bold=True))
        most = shown.measured.anatomy.high_water.total if shown.measured else None
        self._numbers(row, shown, has, unit=unit, here=here, whole=here, most=most)
        total = unit.text(configured.formula.total)
        if has.gives:
            told = f"{total:>{has.formula + has.gives}}"
        else:
            told = f"  {'sum' if has.formula else 'formula'} {total}"
        return row.append(told if row.cell_len + len(told) <= width else "", ink(colors.muted))

    def _head(self, shown: View, unit: units.Column, has: Columns) -> Text:
        head = Text(f"  {f'{unit.unit} a step':<{NAME - 2}}", ink(self.palette.muted))
        if shown.held:
            told = "moment" if isinstance(shown.held, Spot) else "held"
            head.append(f"{told:>{HERE}}", ink(self.palette.accent, bold=True))
        else:
            head.append(f"{'at peak':>{HERE}}")
        return head.append(has.titles)


def now(shown: View) -> Split | None:
    """The split at the moment that is shown."""
    if shown.held:
        return shown.held.split
    return shown.measured.anatomy.peak.split if shown.measured else None


def _total(shown: View) -> int | None:
    """All that is held then; the peak may be more than its split where an allocator says so."""
    if shown.held:
        return shown.held.split.total
    return shown.measured.anatomy.peak.bytes if shown.measured else None


def _unit(shown: View) -> units.Column:
    """The formula's figures are there first, and the unit should not change when others come."""
    measured, configured = shown.measured, shown.configured
    sums = [configured.formula.total] if configured else []
    sums += [measured.anatomy.high_water.total] if measured else []
    return units.column([*sums, _total(shown) or 0])
