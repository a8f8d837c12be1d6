"""The processes that hold memory on the machine's GPUs."""

from __future__ import annotations

import msgspec
from rich.text import Text

from .. import units
from ..cards import Card, CardsReport, GpuProcess
from ..palette import ink
from ..state import State
from .panel import Panel

_USER, _WIDE_USER = 10, 18
_WIDE = 104


class Row(msgspec.Struct, frozen=True):
    """A process on a GPU, or why that GPU's processes are not told.

    `where` is the GPU's index, with the instance's behind a point where it is split.
    """

    where: str
    process: GpuProcess | None
    refused: str = ""


class View(msgspec.Struct, frozen=True):
    """All rows, those of the first GPU first; `asked` tells whether NVML has answered."""

    rows: tuple[Row, ...]
    pid: int | None
    asked: bool


class ProcessTable(Panel[View]):
    """A row for each process on each GPU, the largest of a GPU first; ours is marked."""

    LIVE = True

    def pick(self, state: State) -> View:
        """The processes of all cards."""
        report = state.cards
        asked = report is not None and report.trouble is None
        return View(rows(report) if report else (), state.pid, asked)

    def draw(self, shown: View, width: int, height: int) -> Text:
        """As many rows as there is room for, and how many more there are."""
        colors = self.palette
        if not shown.rows:
            told = "no process holds memory on a GPU" if shown.asked else ""
            return Text(told, ink(colors.muted))
        user = _WIDE_USER if width >= _WIDE else _USER
        head = f"{'GPU':>5}{'pid':>9}  {'user':<{user}}{'memory':>10}  command"
        table = Text(units.fit(head, width), ink(colors.muted))
        room = height - 1
        fitting = shown.rows if len(shown.rows) <= room else shown.rows[: max(0, room - 1)]
        for row in fitting:
            table.append("\n").append_text(self._row(row, shown.pid, user, width))
        if len(fitting) < len(shown.rows):
            more = f"… and {len(shown.rows) - len(fitting)} more"
            table.append("\n").append(f"  {more}", ink(colors.muted))
        return table

    def _row(self, row: Row, pid: int | None, user: int, width: int) -> Text:
        colors, process = self.palette, row.process
        if process is None:
            told = f"  {row.where:>3}  processes {row.refused}"
            return Text(units.fit(told, width), ink(colors.muted))
        ours = process.pid == pid
        line = Text(" ").append("▸" if ours else " ", ink(colors.accent, bold=True))
        line.append(f"{row.where:>3}", ink(colors.muted))
        owner = units.fit(process.user or units.MISSING, user)
        used = units.MISSING if process.used is None else units.size(process.used)
        told = f"{process.pid:>9}  {owner:<{user}}{used:>10}  "
        room = width - line.cell_len - len(told)
        line.append(told, ink(colors.text, bold=ours))
        told = "this session's trainer" if ours else process.command or units.MISSING
        command = units.fit(told, room)
        return line.append(command, ink(colors.text if ours else colors.muted))


def rows(report: CardsReport) -> tuple[Row, ...]:
    """The processes of all GPUs; an instance's are told as its own."""
    return tuple(row for card in report.cards for row in _of_card(card))


def _of_card(card: Card) -> list[Row]:
    found, listed = list[Row](), set[int]()
    for part in card.instances:
        found += _sorted(f"{card.index}.{part.index}", part.processes or ())
        listed |= {process.pid for process in part.processes or ()}
    rest = [process for process in card.processes or () if process.pid not in listed]
    found += _sorted(str(card.index), rest)
    if card.processes is None and card.trouble is None and not found:
        reason = card.refused.get("processes")
        told = f"not available: {reason}" if reason else "not available"
        found.append(Row(str(card.index), None, told))
    return found


def _sorted(where: str, processes: tuple[GpuProcess, ...] | list[GpuProcess]) -> list[Row]:
    largest_first = sorted(processes, key=lambda process: (-(process.used or 0), process.pid))
    return [Row(where, process) for process in largest_first]
