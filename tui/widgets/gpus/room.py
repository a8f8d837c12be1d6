"""How the lines of the screen are shared between GPUs, charts and processes. Pure."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace
from vramtop.tui.state.processes import all_rows, process_rows
from vramtop.tui.state.state import State

from .gpu_lines import lines_of

CHART_LINES = 5  # that the charts have at least: an empty one, a name, and three of the curve
_AIRY = 17  # from so many lines on, an empty one stands above the processes


class Wanted(msgspec.Struct, frozen=True):
    """How many lines the GPUs take, in brief and in detail, and how many the processes.

    Each list has its line of titles. Without a GPU, the GPUs take none.
    """

    brief: int = 0
    detailed: int = 0
    processes: int = 0


def wanted(state: State) -> Wanted:
    """What the lists would fill."""
    if state.gpus is None or not state.gpus.gpus:
        return Wanted()
    brief, detailed = (
        1 + sum(lines_of(gpu, detailed=detailed) for gpu in state.gpus.gpus)
        for detailed in (False, True)
    )
    # A filter changes no share, so that nothing moves while one types.
    every = replace(state.process_view, words="", user=None)
    rows = process_rows(state.gpus, every) if every.tree else all_rows(state.gpus)
    return Wanted(brief, detailed, 1 + max(1, len(rows)))


class Shares(msgspec.Struct, frozen=True):
    """The lines of each; those of the charts may be none."""

    gpus: int
    charts: int
    processes: int


def shares(height: int, lists: Wanted) -> Shares:
    """The shares of `height` lines.

    GPUs and processes are sure of one half each, and the charts have what neither takes. GPUs are
    told in brief where that leaves lines to charts, unless their details take few.
    """
    brief, detailed = lists.brief, lists.detailed
    if not brief:
        return Shares(0, 0, height)
    least = min(height // 2, lists.processes + (height >= _AIRY))
    most = height // 3 if height - brief - least >= CHART_LINES else height // 2
    gpus = max(1, min(detailed if detailed <= most else brief, height - least))
    charts = height - gpus - least
    charts = charts if charts >= CHART_LINES else 0
    return Shares(gpus, charts, height - gpus - charts)


class Grid(msgspec.Struct, frozen=True):
    """Charts of GPUs beside and below one another; those from `first` up to `end` are shown."""

    columns: int
    rows: int
    first: int
    end: int


def grid(count: int, width: int, height: int, chosen: int, *, narrowest: int, least: int) -> Grid:
    """As few columns as all GPUs need, so that time has room; else as many GPUs as there is room.

    Each is at least `narrowest` wide and `least` lines high. The `chosen` one is among those shown.
    """
    most_columns, most_rows = max(1, width // narrowest), max(1, height // least)
    columns = min(most_columns, -(-count // most_rows))
    rows = min(most_rows, -(-count // columns))
    shown = columns * rows
    first = max(0, min(chosen - chosen % shown, count - shown))
    return Grid(columns, rows, first, min(count, first + shown))
