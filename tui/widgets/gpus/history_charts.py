"""Charts of each GPU's load and memory over the last hour."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence

import msgspec
from rich.segment import Segment
from rich.text import Text
from textual.strip import Strip
from vramtop.tui.state.gpu_history import GpuHistory, GpuPast
from vramtop.tui.state.state import State
from vramtop.tui.terminal.palette import Palette, ink
from vramtop.tui.widgets.panel import between
from vramtop.tui.widgets.runs.curves import per_cell, places
from vramtop.tui.widgets.runs.drawn_curve import DrawnCurve
from vramtop.tui.widgets.runs.scales import Scale

from .room import CHART_LINES, Grid, Shares, Wanted, grid, wanted
from .sharing import SharingPanel
from .time_axis import TimeAxis, time_axis

_GUTTER, _GAP = 5, 3
_NARROWEST = 56  # columns for a GPU's two charts
_PERCENT = Scale(0, 100)


class ChartFacts(msgspec.Struct, frozen=True):
    """What so many GPUs were like; `lines` are those that the lists beside the charts want."""

    count: int
    history: GpuHistory
    lines: Wanted


class _Drawn(msgspec.Struct, frozen=True):
    """All that the charts look like depends on; of the time, the last whole column."""

    cells: Grid
    width: int
    lines: int
    axis: TimeAxis
    columns: int
    colors: Palette


class HistoryCharts(SharingPanel[ChartFacts]):
    """Beside one another, the load and the memory of as many GPUs as there is room for.

    The GPU that is chosen elsewhere is among them. A column is drawn once it is over: the longer
    the axis, the less often there is something to send to the terminal.
    """

    def __init__(self) -> None:
        super().__init__()
        self._chosen = 0
        self._curves = defaultdict[str, DrawnCurve](DrawnCurve)
        self._known: tuple[_Drawn, list[Strip]] | None = None

    def choose(self, place: int) -> None:
        """Let the GPU at that place be among those shown."""
        if place != self._chosen:
            self._chosen = place
            self.draw_again()

    def share(self, all_shares: Shares) -> int:
        """What the lists leave free."""
        return all_shares.charts

    def pick(self, state: State) -> ChartFacts:
        """The GPUs' history."""
        count = len(state.gpus.gpus) if state.gpus else 0
        return ChartFacts(count, state.gpu_history, wanted(state))

    def draw(self, shown: ChartFacts, width: int, height: int) -> list[Strip]:
        """An empty line, then the charts."""
        count, lines, history = shown.count, height - 1, shown.history
        if not count or lines < CHART_LINES - 1:
            return []
        cells = grid(
            count, width, lines, self._chosen, narrowest=_NARROWEST + _GAP, least=CHART_LINES - 1
        )
        own = _width(cells, width)
        now = history.at[-1] if history.at else 0
        axis = time_axis(history.began, now)
        columns = _columns(own) * (now - axis.start) // axis.span
        drawn = _Drawn(cells, width, lines, axis, columns, self.palette)
        if self._known is None or self._known[0] != drawn:
            self._known = drawn, self._charts(shown, drawn, own)
        return self._known[1]

    def _charts(self, shown: ChartFacts, drawn: _Drawn, own: int) -> list[Strip]:
        cells, axis = drawn.cells, drawn.axis
        at = shown.history.at
        old = bisect_left(at, axis.start)
        # No more than the columns that are over.
        end = bisect_left(at, axis.start + -(-drawn.columns * axis.span // _columns(own)))
        seconds = [second - axis.start for second in at[old:end]]
        columns = places(seconds, axis.span, _columns(own))
        picture = [Strip.blank(drawn.width, self._paper)]
        for row in range(cells.rows):
            # Lines that cannot be shared out evenly go to the first rows.
            lines = (drawn.lines - row - 1) // cells.rows + 1
            first = cells.first + row * cells.columns
            beside = list[list[Strip]]()
            for place in range(first, min(first + cells.columns, cells.end)):
                known = place < len(shown.history.gpus)
                past = shown.history.gpus[place] if known else GpuPast()
                for what, values in (("load", past.load), ("memory", past.memory)):
                    name = f"GPU {place} {what}"
                    chart = self._chart(
                        name, values[old:end], columns=columns, axis=axis, width=own, lines=lines
                    )
                    beside.append(chart)
            picture += [self._apart(each) for each in zip(*beside, strict=True)]
        return picture

    def _apart(self, strips: Sequence[Strip]) -> Strip:
        """These, with gaps between them."""
        gap, found = Strip.blank(_GAP, self._paper), list[Strip]()
        for strip in strips:
            found += [gap, strip] if found else [strip]
        return Strip.join(found)

    def _chart(
        self,
        name: str,
        values: tuple[float | None, ...],
        *,
        columns: Sequence[slice],
        axis: TimeAxis,
        width: int,
        lines: int,
    ) -> list[Strip]:
        """One chart: its name, how long its axis is, and the curve."""
        muted = ink(self.palette.muted)
        strips = [self.strip(between(Text(name, muted), Text(axis.name, muted), width), width)]
        rows = self._curves[name].rows(values, columns, _PERCENT, lines - 1, braille=True)
        marks = {0: "100%", lines - 2: "0"}
        gutter, style = self._paper + muted, self._paper + ink(self.palette.accent)
        for number, row in enumerate(rows):
            mark = Segment(f"{marks.get(number, ''):>{_GUTTER - 1}} ", gutter)
            strips.append(Strip([mark, Segment(row, style)]))
        return strips


def _width(cells: Grid, width: int) -> int:
    """The width of one chart: each GPU has two."""
    count = 2 * cells.columns
    return (width - _GAP * (count - 1)) // count


def _columns(width: int) -> int:
    """How many columns of dots a chart has."""
    across, _ = per_cell(braille=True)
    return (width - _GUTTER) * across
