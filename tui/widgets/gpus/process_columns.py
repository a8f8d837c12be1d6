"""The columns of the list of processes: which there are in a width, and what stands in each."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from vramtop.protocol.gpus import GpuProcess
from vramtop.tui.state.processes import Column, ProcessRow, ProcessView
from vramtop.tui.words import units

_LONG = 104  # columns from which on bytes are written out, and whether one can look inside
_LEAST_COMMAND = 14
_USER, _LONG_USER = 8, 18
_SIGNS = {"observed": "•", "possible": "→"}
_WORDS = {"observed": "• observed", "possible": "→ look inside"}
# Without enough room for the command these are left out, the first one first.
_LEFT_OUT: tuple[Column, ...] = ("host", "type", "CPU", "time")
_NAMES: tuple[Column, ...] = ("user", "inside", "command")


class Cell(msgspec.Struct, frozen=True):
    """A column and its width, the space before it included."""

    column: Column
    width: int

    def text(self, value: str) -> str:
        """A value in the column, cut where it is too long."""
        if self.column in _NAMES:
            return f" {units.cut(value, self.width - 1):<{self.width - 1}}"
        return f"{value:>{self.width}}"


def columns(rows: Sequence[ProcessRow], width: int) -> tuple[Cell, ...]:
    """The columns for these rows in `width` columns of the terminal; the last is the command."""
    long = width >= _LONG
    longest = max((len(row.process.user or "") for row in rows if row.process), default=0)
    user = max(len("user↓"), min(longest, _LONG_USER if long else _USER))
    pid = max([6, *(len(str(row.process.pid)) for row in rows if row.process)])
    where = max([4, *(len(row.where) for row in rows)])
    cells = [
        Cell("GPU", where),
        Cell("pid", pid + 1),
        Cell("type", 6 if long else 5),
        Cell("user", user + 2),
        Cell("memory", 11 if long else 7),
        Cell("SM", 5),
        Cell("CPU", 6),
        Cell("host", 6),
        Cell("time", 9),
        Cell("inside", 19 if long else 3),
    ]
    for column in _LEFT_OUT:
        if width - sum(cell.width for cell in cells) >= _LEAST_COMMAND:
            break
        cells = [cell for cell in cells if cell.column != column]
    rest = max(0, width - sum(cell.width for cell in cells))
    return (*cells, Cell("command", rest))


def heading(cells: Sequence[Cell], view: ProcessView) -> str:
    """The titles; an arrow stands at the one by which the rows are sorted."""
    arrow = "↓" if view.largest_first else "↑"
    return "".join(
        cell.text(_title(cell) + (arrow if cell.column == view.by else "")) for cell in cells
    )


def _title(cell: Cell) -> str:
    """The column's name, or a shorter one, with room for a space and the arrow."""
    short = {"type": "C/G", "memory": "mem", "inside": ""}.get(cell.column, cell.column)
    return short if len(cell.column) + 2 > cell.width else cell.column


def column_at(cells: Sequence[Cell], x: int) -> Column | None:
    """The column whose title stands there."""
    for cell in cells:
        if x < cell.width:
            return cell.column
        x -= cell.width
    return None


def value(cell: Cell, row: ProcessRow, process: GpuProcess) -> str:
    """What stands in a column but the command's; nothing where a process is on no GPU."""
    long = cell.width > 10
    match cell.column:
        case "GPU":
            return row.where
        case "pid":
            return str(process.pid)
        case "user":
            return process.user or units.MISSING
        case "CPU":
            return _percent(process.cpu)
        case "host":
            return units.MISSING if process.resident is None else units.short(process.resident)
        case "time":
            return units.MISSING if process.seconds is None else units.duration(process.seconds)
        case "inside":
            return _inside(process, long=long)
        case _ if not row.where:
            return ""
        case "memory":
            size = units.size if long else units.short
            return units.MISSING if process.used is None else size(process.used)
        case "type":
            return process.type or units.MISSING
        case "SM":
            return _percent(process.sm)
        case _:
            raise AssertionError(cell.column)


def _percent(share: float | None) -> str:
    return units.MISSING if share is None else f"{share:.0f}%"


def _inside(process: GpuProcess, *, long: bool) -> str:
    if not long:
        return _SIGNS.get(process.inside or "", "")
    return _WORDS.get(process.inside or "", process.obstacle or "")
