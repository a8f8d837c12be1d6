"""The trade between batch sizes: memory, speed and what is learned, side by side."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.style import Style
from rich.text import Text
from vramtop.tui.state.lesson.visits import Visit, Visits
from vramtop.tui.state.state import State
from vramtop.tui.terminal.palette import EMPTY, ink
from vramtop.tui.widgets.panel import Panel, between
from vramtop.tui.widgets.step.blocks import EIGHTHS, UPWARD, Cell, bar, drawn, write
from vramtop.tui.words import units

from .measures import MEASURES, MEMORY, Measure, best, places, with_comparable_losses

_GAP = 3  # columns between two charts
_NOTED = 4  # lines at least, so that the last one is a note
_NOTES = (
    "different starts: each size went on from where another one had stopped, "
    "and a later one has less left to learn; F compares fairly",
    "different starts: each size went on where another had stopped; F compares fairly",
    "different starts: F compares sizes fairly",
)
_SHORT, _ROSE = "×", "↑"
_WAITING = "what each batch size takes and gives: press + or - to visit another one"

# A character and its style.
_Cell = tuple[str, Style]


class TradeFacts(msgspec.Struct, frozen=True):
    """The visits, and the batch size in force.

    `comparable` tells whether their losses can be compared.
    """

    visited: Visits
    batch_size: int
    comparable: bool


class _Bars:
    """The places of the bars, the same in each of the charts, which are `room` columns wide."""

    def __init__(self, shown: TradeFacts, winners: Sequence[int | None], room: int) -> None:
        sizes = [visit.batch_size for visit in shown.visited]
        short = [visit.batch_size for visit in shown.visited if visit.out_of_memory]
        # Of the sizes that did not fit, the smallest one is the limit.
        wanted = [*winners, *short[:1], shown.batch_size]
        self.room = room
        self.short = set(short)
        self.starts, self.width = places(sizes, [size for size in wanted if size in sizes], room)


class TradeChart(Panel[TradeFacts | None]):
    """Four charts above a logarithmic axis of batch sizes; the best size of each stands out.

    Sizes that did not fit have a cross. Losses of a fair comparison are shown once there are some.
    Until then the live losses are. Where these cannot be compared, no size is the best, and the
    last line says why.
    """

    def pick(self, state: State) -> TradeFacts | None:
        """The visits that accumulate as many batches as now; None without a lesson."""
        if state.lesson is None:
            return None
        now = state.lesson.settings
        visited = tuple(
            each for each in state.lesson.visited if each.accumulation == now.accumulation
        )
        visited, comparable = with_comparable_losses(visited)
        return TradeFacts(visited, now.batch_size, comparable)

    def draw(self, shown: TradeFacts | None, width: int, height: int) -> Text:
        """The charts beside each other, and a note on whether the losses can be compared."""
        muted = ink(self.palette.muted)
        if shown is None:
            return Text(units.cut("this program has no sizes to compare", width), muted)
        if len(shown.visited) < 2 or height < 3:
            return Text(units.cut(_WAITING, width), muted)
        # Without a line for the note, the charts of the losses are left out.
        noted = height >= _NOTED
        measures = MEASURES if noted else MEASURES[:2]
        room = (width + _GAP) // len(measures) - _GAP
        winners = [
            best(measure, shown.visited) if measure in MEASURES[:2] or shown.comparable else None
            for measure in measures
        ]
        bars = _Bars(shown, winners, room)
        charts = [
            self._chart(measure, winner, shown.visited, bars, height - noted)
            for measure, winner in zip(measures, winners, strict=True)
        ]
        lines = [Text(" " * _GAP).join(parts) for parts in zip(*charts, strict=True)]
        if noted:
            picture = "\n".join(line.plain for line in lines)
            lines.append(Text(_note(_notes(shown), picture, width), muted))
        return Text("\n").join(lines)

    def _chart(
        self, measure: Measure, winner: int | None, visits: Visits, bars: _Bars, height: int
    ) -> list[Text]:
        """A title with the best value, the bars, and the sizes below them, in `height` lines."""
        rows = height - 2
        scale = max([0.0, *(value for visit in visits if (value := measure.of(visit)))])
        blank = (" ", ink(self.palette.faint))
        grid = [[blank] * bars.room for _ in range(rows)]
        for visit in visits:
            start = bars.starts.get(visit.batch_size)
            if start is None:
                continue
            if sign := self._sign(measure, visit):
                grid[-1][start + bars.width // 2] = sign
                continue
            column = self._bar(measure, visit, scale, rows, best=visit.batch_size == winner)
            for row, cell in zip(reversed(grid), column, strict=True):
                row[start : start + bars.width] = [cell] * bars.width
        title = self._title(measure, visits, winner, bars.room)
        return [title, *map(_joined, grid), self._axis(bars, winner)]

    def _title(self, measure: Measure, visits: Visits, winner: int | None, room: int) -> Text:
        """The name in as many words as fit beside the best one's figure."""
        colors, label = self.palette, ""
        if winner is not None:
            visit = next(visit for visit in visits if visit.batch_size == winner)
            value = measure.of(visit)
            assert value is not None
            label = measure.text(value)
        best = [f", {measure.best}", ""] if label else [""]
        names = [name + end for name in measure.names for end in best]
        name = next((name for name in names if len(name) + len(label) < room), names[-1])
        title = between(Text(name, ink(colors.muted)), Text(label, ink(colors.accent)), room)
        title.pad_right(room - title.cell_len)
        return title

    def _bar(
        self, measure: Measure, visit: Visit, scale: float, rows: int, *, best: bool
    ) -> list[_Cell]:
        """A column of cells from below: categories for memory, one colour for all else."""
        colors, value = self.palette, measure.of(visit)
        assert value is not None
        if measure is MEMORY and visit.split is not None:
            parts = msgspec.structs.astuple(visit.split)
            return [self._piece(cell) for cell in bar(parts, int(scale), rows, UPWARD)]
        eighths = max(1, round(value / scale * rows * EIGHTHS))
        style = ink(colors.accent if best else colors.muted)
        full, rest = divmod(eighths, EIGHTHS)
        cells = [*[UPWARD[-1]] * full, *([UPWARD[rest]] if rest else [])]
        cells += [" "] * (rows - len(cells))
        return [(glyph, style) for glyph in cells]

    def _sign(self, measure: Measure, visit: Visit) -> _Cell | None:
        """What stands where there is no bar."""
        value = measure.of(visit)
        if visit.out_of_memory:
            return _SHORT, ink(self.palette.trouble)
        if value is None:
            return units.NOTHING, ink(self.palette.muted)
        return (_ROSE, ink(self.palette.muted)) if value <= 0 else None

    def _piece(self, cell: Cell) -> _Cell:
        """A cell of a stack; the cells above it are blank."""
        colors = self.palette
        if cell.larger == EMPTY and (colors.patterned or cell.first == EMPTY):
            return " ", ink(colors.faint)
        if cell.second == EMPTY and not colors.patterned:
            return cell.glyph, ink(colors.fills[cell.first])
        return drawn(cell, colors)

    def _axis(self, bars: _Bars, winner: int | None) -> Text:
        """Sizes below their bars. The best gets room first, then those that did not fit."""
        colors = self.palette
        axis = [(" ", ink(colors.muted))] * bars.room
        taken = [False] * bars.room
        for size in sorted(bars.starts, key=lambda size: (size != winner, size not in bars.short)):
            label = str(size)  # a comma would take the place of a neighbour
            middle = bars.starts[size] + (bars.width - len(label)) // 2
            at = min(max(0, middle), bars.room - len(label))
            if at < 0 or any(taken[max(0, at - 1) : at + len(label) + 1]):
                continue
            style = ink(colors.accent, bold=True) if size == winner else ink(colors.muted)
            axis[at : at + len(label)] = [(character, style) for character in label]
            taken[at : at + len(label)] = [True] * len(label)
        return _joined(axis)


def _notes(shown: TradeFacts) -> Sequence[str]:
    """Where the losses began, in fewer and fewer words."""
    known = [visit.learned for visit in shown.visited if visit.learned is not None]
    if not known or not shown.comparable:
        return _NOTES
    images = units.count(max(learned.images for learned in known))
    if not all(learned.start == 0 for learned in known):
        return (f"the same start: each learned for {images} images after one epoch", "same start")
    if len({learned.images for learned in known}) > 1:
        return (f"compared fairly: each from fresh weights, on up to {images} images",)
    return (
        f"compared fairly: each from the same fresh weights, on the same {images} images",
        f"compared fairly: fresh weights, {images} images each",
        f"fair: fresh weights, {images} images",
    )


def _note(forms: Sequence[str], picture: str, width: int) -> str:
    """The note, and what the signs in the charts mean, in as many words as fit."""
    meanings = {_SHORT: " · × out of memory", _ROSE: " · ↑ the loss rose"}
    signs = "".join(meaning for sign, meaning in meanings.items() if sign in picture)
    notes = [*(note + signs for note in forms), *forms]
    return next((note for note in notes if len(note) <= width), units.cut(notes[-1], width))


def _joined(cells: list[_Cell]) -> Text:
    line = Text()
    write(line, cells)
    return line
