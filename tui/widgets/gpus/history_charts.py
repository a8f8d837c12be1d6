"""Charts of each GPU's load and memory over the last hour."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence

import msgspec
from rich.segment import Segment
from rich.text import Text
from textual.strip import Strip
from vramtop.protocol.gpus import Gpu
from vramtop.tui.state.gpu_history import GpuHistory, GpuPast
from vramtop.tui.state.state import State
from vramtop.tui.terminal.palette import ink
from vramtop.tui.widgets.panel import between
from vramtop.tui.widgets.runs.curves import per_cell, places
from vramtop.tui.widgets.runs.drawn_curve import DrawnCurve
from vramtop.tui.widgets.runs.scales import Scale
from vramtop.tui.words import units

from .room import CHART_LINES, Grid, Shares, Wanted, grid, wanted
from .sharing import SharingPanel
from .time_axis import TimeAxis, time_axis

_GUTTER, _GAP = 5, 3
_NARROWEST = 56  # columns for a GPU's two charts
_PERCENT = Scale(0, 100)


class ChartFacts(msgspec.Struct, frozen=True):
    """The GPUs as they are, and as they were; `lines` are those that the lists beside them want."""

    gpus: tuple[Gpu, ...]
    history: GpuHistory
    lines: Wanted


class HistoryCharts(SharingPanel[ChartFacts]):
    """Beside one another, the load and the memory of as many GPUs as there is room for.

    The GPU that is chosen elsewhere is among them.
    """

    def __init__(self) -> None:
        super().__init__()
        self._chosen = 0
        self._curves = defaultdict[str, DrawnCurve](DrawnCurve)

    def choose(self, place: int) -> None:
        """Let the GPU at that place be among those shown."""
        if place != self._chosen:
            self._chosen = place
            self.draw_again()

    def share(self, all_shares: Shares) -> int:
        """What the lists leave free."""
        return all_shares.charts

    def pick(self, state: State) -> ChartFacts:
        """The GPUs and their history."""
        gpus = state.gpus.gpus if state.gpus else ()
        return ChartFacts(gpus, state.gpu_history, wanted(state))

    def draw(self, shown: ChartFacts, width: int, height: int) -> list[Strip]:
        """An empty line, then the charts."""
        count, lines = len(shown.gpus), height - 1
        if not count or lines < CHART_LINES - 1:
            return []
        cells = grid(
            count, width, lines, self._chosen, narrowest=_NARROWEST + _GAP, least=CHART_LINES - 1
        )
        blank = Strip.blank(width, self._paper)
        picture = [blank]
        for row in range(cells.rows):
            # Lines that cannot be shared out evenly go to the first rows.
            own = (lines - row - 1) // cells.rows + 1
            first = cells.first + row * cells.columns
            here = range(first, min(first + cells.columns, cells.end))
            beside = [self._gpu(shown, place, _room(cells, width), own) for place in here]
            picture += [Strip.join(self._apart(each)) for each in zip(*beside, strict=True)]
        return picture

    def _apart(self, strips: Sequence[Strip]) -> list[Strip]:
        """These, with gaps between them."""
        gap, found = Strip.blank(_GAP, self._paper), list[Strip]()
        for strip in strips:
            found += [gap, strip] if found else [strip]
        return found

    def _gpu(self, shown: ChartFacts, place: int, width: int, lines: int) -> list[Strip]:
        """The two charts of one GPU."""
        gpu, history = shown.gpus[place], shown.history
        known = place < len(history.gpus)
        past = history.gpus[place] if known else GpuPast()
        at = history.at if known else ()
        axis = time_axis(history.began, at[-1]) if at else time_axis(0, 0)
        left = (width - _GAP) // 2
        load = units.MISSING if gpu.gpu_utilization is None else f"{gpu.gpu_utilization}%"
        charts = [
            self._chart(place, what, forms, _since(axis, at, values), width=room, lines=lines)
            for what, forms, values, room in (
                ("load", (load,), past.load, left),
                ("memory", _memory(gpu), past.memory, width - _GAP - left),
            )
        ]
        return [Strip.join(self._apart(each)) for each in zip(*charts, strict=True)]

    def _chart(
        self, place: int, what: str, forms: Sequence[str], past: _Past, *, width: int, lines: int
    ) -> list[Strip]:
        """One chart: its name, the value now in a form that fits, its axis, and the curve."""
        colors, room = self.palette, width - _GUTTER
        what, name = f"GPU {place} {what} ", Text(past.axis.name, ink(colors.muted))
        spare = width - len(what) - name.cell_len - 1
        value = next((form for form in forms if len(form) <= spare), forms[-1])
        title = Text(what, ink(colors.muted)).append(value, ink(colors.text))
        strips = [self.strip(between(title, name, width), width)]
        across, _ = per_cell(braille=True)
        columns = places(past.at, past.axis.span, room * across)
        curve = self._curves[what]
        rows = curve.rows(past.values, columns, _PERCENT, lines - 1, braille=True)
        marks = {0: "100%", lines - 2: "0"}
        gutter, style = self._paper + ink(colors.muted), self._paper + ink(colors.accent)
        for number, row in enumerate(rows):
            mark = Segment(f"{marks.get(number, ''):>{_GUTTER - 1}} ", gutter)
            strips.append(Strip([mark, Segment(row, style)]))
        return strips


class _Past(msgspec.Struct, frozen=True):
    """Values on an axis, and the seconds from its start at which they were sampled."""

    axis: TimeAxis
    at: tuple[int, ...]
    values: tuple[float | None, ...]


def _since(axis: TimeAxis, at: Sequence[int], values: tuple[float | None, ...]) -> _Past:
    """The values that are not older than the axis."""
    old = bisect_left(at, axis.start)
    return _Past(axis, tuple(second - axis.start for second in at[old:]), values[old:])


def _room(cells: Grid, width: int) -> int:
    return (width - _GAP * (cells.columns - 1)) // cells.columns


def _memory(gpu: Gpu) -> tuple[str, ...]:
    """The memory in use, in words and in fewer."""
    if gpu.in_use is None or not gpu.total:
        return (units.MISSING,)
    share = units.share(gpu.in_use, gpu.total)
    return f"{share} · {units.short(gpu.in_use)}/{units.short(gpu.total)}", share
