"""The table of categories: bytes, share, the formula beside them, and why they differ."""

from __future__ import annotations

import msgspec
from rich.text import Text
from textual.events import Click
from vramtop.protocol.split import ALL_CATEGORIES, Category, Peak, Split
from vramtop.tui.state.categories import CategoryFacts, expected_total
from vramtop.tui.state.moments import Spot
from vramtop.tui.state.state import HeldStep, State
from vramtop.tui.terminal.palette import GLYPHS, ink, swatch
from vramtop.tui.widgets.panel import Panel
from vramtop.tui.words import units
from vramtop.tui.words.meanings import meanings
from vramtop.tui.words.wording import NAMES

from .category_columns import HERE, NAME, WATER, CategoryColumns, columns, number
from .picked import Picked

UNEXPLAINED = ("unexplained", "?")


class StepFacts(msgspec.Struct, frozen=True):
    """What is known of a step, by category.

    `lines` is empty until the program is known. `high_water` is the sum of all high waters, in
    bytes; it and `peak` are None until a step was measured. `held` is the moment that is shown
    instead of the peak. `listed` are the categories that have a row.
    """

    lines: tuple[CategoryFacts, ...]
    peak: Peak | None
    high_water: int | None
    held: Spot | HeldStep | None
    chosen: Category | None
    listed: tuple[Category, ...]
    lesson: bool


def step_facts(state: State) -> StepFacts:
    """The latest anatomy, and the moment of the step that is seen."""
    anatomy = state.measured.anatomy if state.measured else None
    peak, high_water = (anatomy.peak, anatomy.high_water.total) if anatomy else (None, None)
    lesson = state.lesson is not None
    return StepFacts(
        state.categories, peak, high_water, state.seen, state.chosen, state.listed, lesson
    )


class CategoryTable(Panel[StepFacts]):
    """A header, the categories and their total; a click on a category chooses it."""

    def on_click(self, event: Click) -> None:
        """Choose the category whose row it is, below the header."""
        listed = self._shown.listed if self._shown else ()
        if 1 <= event.y <= len(listed):
            self.post_message(Picked(listed[event.y - 1]))

    def pick(self, state: State) -> StepFacts:
        """The latest anatomy, and the moment of the step that is seen."""
        return step_facts(state)

    def draw(self, shown: StepFacts, width: int, height: int) -> Text:
        """The table; in a narrow place some columns are left out."""
        del height
        if not shown.lines:
            return self._legend(shown, width)
        formulas = [line.expected.formula if line.expected else "" for line in shown.lines]
        has = columns(width, max(map(len, formulas)))
        unit, split, whole = _unit(shown), now(shown), _total(shown)
        table = self._head(shown, unit, has)
        for line in shown.lines:
            row = self._title(line.category, shown.chosen)
            here = split.of(line.category) if split else None
            self._numbers(row, shown, has, unit=unit, here=here, whole=whole, most=line.high_water)
            self._expected(row, line, has, unit)
            if line.high_water is not None:
                row.append("  ").append_text(self._verdict(line, width - row.cell_len))
            table.append("\n").append_text(row)
        return table.append("\n").append_text(self._sums(shown, has, unit, width))

    def _expected(
        self, row: Text, line: CategoryFacts, has: CategoryColumns, unit: units.Column
    ) -> None:
        """The formula and its bytes. Without a column for these, they show only until measured."""
        expected, muted = line.expected, ink(self.palette.muted)
        formula = expected.formula if expected else units.NOTHING
        figure = number(unit, expected.bytes) if expected else units.NOTHING
        row.append(f"  {formula:<{has.formula - 2}}" if has.formula else "", muted)
        row.append(f"{figure:>{has.gives}}" if has.gives else "", muted)
        if line.high_water is None and not has.gives and expected is not None:
            row.append(f"  = {figure}", muted)

    def _title(self, category: Category, chosen: Category | None) -> Text:
        """The category's glyph and name; the chosen one is marked."""
        index, here = ALL_CATEGORIES.index(category), category == chosen
        row = Text().append(GLYPHS[category], swatch(self.palette, index))
        row.append("▸" if here else " ", ink(self.palette.accent, bold=True))
        color = self.palette.accent if here else self.palette.text
        return row.append(f"{NAMES[category]:<{NAME - 2}}", ink(color, bold=here))

    def _legend(self, shown: StepFacts, width: int) -> Text:
        """What the categories mean, until there are numbers."""
        muted = ink(self.palette.muted)
        what = "one step of training" if shown.lesson else "one step"
        table = Text(f"  what {what} holds", muted)
        for category in shown.listed:
            row = self._title(category, shown.chosen).append("  ")
            fitting = (
                meaning
                for meaning in meanings(category, lesson=shown.lesson)
                if len(meaning) <= width - row.cell_len
            )
            table.append("\n").append_text(row).append(next(fitting, ""), muted)
        return table

    def _numbers(
        self,
        row: Text,
        shown: StepFacts,
        has: CategoryColumns,
        *,
        unit: units.Column,
        here: int | None,
        whole: int | None,
        most: int | None,
    ) -> None:
        """Bytes at the moment that is shown, their share of the `whole`, and the high water."""
        colors = self.palette
        if here is None or whole is None:
            row.append(" " * has.numbers)  # not measured yet
            return
        figure, share = has.figures(unit, here, whole)
        row.append(figure, ink(colors.text, bold=True) if here else ink(colors.faint))
        row.append(share, ink(colors.muted if here else colors.faint))
        water = units.NOTHING if most is None else number(unit, most)
        # While a step is held, that moment stands out.
        calm = colors.muted if shown.held else colors.text
        row.append(f"{water:>{WATER}}", ink(calm if most else colors.faint))

    def _verdict(self, line: CategoryFacts, room: int) -> Text:
        """✓, or the difference and as much of the reason as there is room for."""
        colors, difference = self.palette, line.difference
        if difference is None:
            phase = f"in {line.phase}" if line.phase else ""
            noted = [f"{phase}, {note}" for note in line.notes]
            forms = (*noted, *line.notes, phase)
            words = next((each for each in forms if len(each) <= room), "")
            return Text(words, ink(colors.muted))
        if difference.bytes == 0:
            why = next((f" {each}" for each in difference.reasons if len(each) + 2 <= room), "")
            return Text("✓", ink(colors.good, bold=True)).append(why, ink(colors.muted))
        figure = f"{units.difference(difference.bytes)} "
        reasons = difference.reasons or UNEXPLAINED
        reason = next((each for each in reasons if len(figure + each) <= room), "")
        number_color, reason_color = colors.text, colors.muted
        if line.unexplained:
            number_color = reason_color = colors.trouble
        text = Text().append(units.cut(figure, room), ink(number_color))
        return text.append(reason, ink(reason_color))

    def _sums(self, shown: StepFacts, has: CategoryColumns, unit: units.Column, width: int) -> Text:
        """The totals. High waters exceed the peak, as they come at different times."""
        colors, here = self.palette, _total(shown)
        row = Text().append(f"  {'Total':<{NAME - 2}}", ink(colors.text, bold=True))
        self._numbers(row, shown, has, unit=unit, here=here, whole=here, most=shown.high_water)
        expected = expected_total(shown.lines)
        if expected is None:
            return row
        figure = unit.text(expected)
        if has.gives:
            label = f"{figure:>{has.formula + has.gives}}"
        else:
            label = f"  {'sum' if has.formula else _formula(shown)} {figure}"
        return row.append(label if row.cell_len + len(label) <= width else "", ink(colors.muted))

    def _head(self, shown: StepFacts, unit: units.Column, has: CategoryColumns) -> Text:
        head = Text(f"  {f'{unit.unit} a step':<{NAME - 2}}", ink(self.palette.muted))
        if shown.held:
            label = "moment" if isinstance(shown.held, Spot) else "held"
            head.append(f"{label:>{HERE}}", ink(self.palette.accent, bold=True))
        else:
            head.append(f"{'at peak':>{HERE}}")
        return head.append(has.titles(_formula(shown)))


def _formula(shown: StepFacts) -> str:
    """What is held against the measured bytes: the lesson's formula, or what one expects."""
    return "formula" if shown.lesson else "expected"


def now(shown: StepFacts) -> Split | None:
    """The split at the moment that is shown."""
    if shown.held:
        return shown.held.split
    return shown.peak.split if shown.peak else None


def _total(shown: StepFacts) -> int | None:
    """The bytes held at that moment; a peak seen by an allocator may exceed its split."""
    if shown.held:
        return shown.held.split.total
    return shown.peak.bytes if shown.peak else None


def _unit(shown: StepFacts) -> units.Column:
    """One unit for the formula's bytes and the measured ones.

    The formula's are known first, and the unit should not change when the others come.
    """
    known = (expected_total(shown.lines), shown.high_water, _total(shown))
    return units.column(size or 0 for size in known)
