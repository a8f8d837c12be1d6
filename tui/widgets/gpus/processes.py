"""The processes that hold memory on the machine's GPUs."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.text import Text
from textual.events import Click, MouseScrollDown, MouseScrollUp
from textual.message import Message
from vramtop.protocol.gpus import Gpu, GpuProcess, GpusReport
from vramtop.tui.state.state import State
from vramtop.tui.terminal.palette import ink
from vramtop.tui.widgets.panel import Panel
from vramtop.tui.words import units

from .window import Window, window

_USER, _WIDE_USER = 10, 18
_WIDE = 104
_WHEEL = 3  # rows


class ProcessRow(msgspec.Struct, frozen=True):
    """A process on a GPU. Where `process` is None, `refused` says why the list is missing.

    `where` is the GPU's index, or like `0.1` for an instance. `place` is the GPU's place among the
    GPUs.
    """

    place: int
    where: str
    process: GpuProcess | None
    refused: str = ""

    def same(self, other: ProcessRow) -> bool:
        """Whether it is the same process on the same GPU; the bytes may differ."""
        pids = [row.process and row.process.pid for row in (self, other)]
        return self.where == other.where and pids[0] == pids[1]


class ProcessList(msgspec.Struct, frozen=True):
    """All rows, GPU by GPU. `asked` says that NVML has answered.

    `pid` is that of the trainer or of the program that is watched; `trained` tells which.
    """

    rows: tuple[ProcessRow, ...]
    pid: int | None
    asked: bool
    trained: bool


class ProcessTable(Panel[ProcessList]):
    """A row for each process on each GPU, the largest of a GPU first; the trainer's is marked.

    While it is `active`, keys choose a row here; the wheel or a click always can.
    """

    LIVE = True

    class Chosen(Message):
        """A row was chosen with the mouse."""

    def __init__(self) -> None:
        super().__init__()
        self.active = False
        self._chosen = 0
        self._row: ProcessRow | None = None  # the chosen row when it was chosen
        self._frame = Window(0, 0, 0)

    @property
    def place(self) -> int | None:
        """The place of the chosen row's GPU among the GPUs; None where there is no row."""
        rows = self._shown.rows if self._shown else ()
        return rows[self._at(rows)].place if rows else None

    @property
    def chosen(self) -> GpuProcess | None:
        """The chosen process; None where there is none, or where it is not known."""
        rows = self._shown.rows if self._shown else ()
        return rows[self._at(rows)].process if rows else None

    def choose_on(self, place: int) -> bool:
        """Choose the first process of the GPU at that place; False where it has none."""
        rows = self._shown.rows if self._shown else ()
        if rows and rows[self._at(rows)].place == place:
            return True
        first = next((at for at, row in enumerate(rows) if row.place == place), None)
        if first is None:
            return False
        self._choose(first)
        return True

    @property
    def page(self) -> int:
        """How many rows are seen at once."""
        return max(1, self._frame.end - self._frame.first)

    def move(self, by: int) -> None:
        """Choose the row `by` further down; negative is up."""
        if self._shown and self._shown.rows:
            self._choose(self._at(self._shown.rows) + by)

    def activate(self, *, active: bool) -> None:
        """Let the keys choose here, or no longer."""
        self.active = active
        self.draw_again()

    def on_click(self, event: Click) -> None:
        """Choose the row that was clicked on."""
        row = self._frame.first + event.y - 1
        if self._frame.first <= row < self._frame.end:
            self._choose(row)
            self.post_message(self.Chosen())

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Some rows further down."""
        event.stop()
        self.move(_WHEEL)
        self.post_message(self.Chosen())

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Some rows further up."""
        event.stop()
        self.move(-_WHEEL)
        self.post_message(self.Chosen())

    def _choose(self, row: int) -> None:
        rows = self._shown.rows if self._shown else ()
        if rows:
            self._chosen = max(0, min(row, len(rows) - 1))
            self._row = rows[self._chosen]
            self.draw_again()

    def _at(self, rows: Sequence[ProcessRow]) -> int:
        """The place of the chosen row; where it is gone, its former place."""
        same = (at for at, row in enumerate(rows) if self._row and row.same(self._row))
        return next(same, max(0, min(self._chosen, len(rows) - 1)))

    def pick(self, state: State) -> ProcessList:
        """The processes of all GPUs."""
        report = state.gpus
        asked = report is not None and report.trouble is None
        rows = process_rows(report) if report else ()
        return ProcessList(rows, state.pid, asked, state.lesson is not None)

    def draw(self, shown: ProcessList, width: int, height: int) -> Text:
        """As many rows as there is room for, and how many more there are."""
        colors = self.palette
        if not shown.rows:
            text = "no process holds memory on a GPU" if shown.asked else ""
            return Text(text, ink(colors.muted))
        user = _WIDE_USER if width >= _WIDE else _USER
        head = f"{'GPU':>5}{'pid':>9}  {'user':<{user}}{'memory':>10}  command"
        table = Text(units.cut(head, width), ink(colors.muted))
        chosen = self._at(shown.rows)
        self._frame = window(len(shown.rows), height - 1, chosen, self._frame.first)
        for at in range(self._frame.first, self._frame.end):
            here = self.active and at == chosen
            line = self._line(shown.rows[at], shown, user, width, chosen=here)
            table.append("\n").append_text(line)
        if self._frame.hidden:
            table.append("\n").append(f"  {self._frame.hidden}", ink(colors.muted))
        return table

    def _line(
        self, row: ProcessRow, shown: ProcessList, user: int, width: int, *, chosen: bool
    ) -> Text:
        colors, process = self.palette, row.process
        cursor = "›" if chosen else " "
        if process is None:
            text = f"{cursor} {row.where:>3}  processes {row.refused}"
            return Text(units.cut(text, width), ink(colors.muted))
        ours = process.pid == shown.pid
        line = Text(cursor + ("▸" if ours else " "), ink(colors.accent, bold=True))
        line.append(f"{row.where:>3}", ink(colors.muted))
        owner = units.cut(process.user or units.MISSING, user)
        used = units.MISSING if process.used is None else units.size(process.used)
        cells = f"{process.pid:>9}  {owner:<{user}}{used:>10}  "
        room = width - line.cell_len - len(cells)
        line.append(cells, ink(colors.text, bold=ours or chosen))
        command = process.command or units.MISSING
        command = "this session's trainer" if ours and shown.trained else command
        return line.append(units.cut(command, room), ink(colors.text if ours else colors.muted))


def process_rows(report: GpusReport) -> tuple[ProcessRow, ...]:
    """The processes of all GPUs; those of an instance stand under the instance alone."""
    gpus = enumerate(report.gpus)
    return tuple(row for place, gpu in gpus for row in _of_gpu(place, gpu))


def _of_gpu(place: int, gpu: Gpu) -> list[ProcessRow]:
    found, listed = list[ProcessRow](), set[int]()
    for part in gpu.instances:
        found += _sorted(place, f"{gpu.index}.{part.index}", part.processes or ())
        listed |= {process.pid for process in part.processes or ()}
    rest = [process for process in gpu.processes or () if process.pid not in listed]
    found += _sorted(place, str(gpu.index), rest)
    if gpu.processes is None and gpu.trouble is None and not found:
        reason = gpu.refused.get("processes")
        text = f"not available: {reason}" if reason else "not available"
        found.append(ProcessRow(place, str(gpu.index), None, text))
    return found


def _sorted(place: int, where: str, processes: Sequence[GpuProcess]) -> list[ProcessRow]:
    largest_first = sorted(processes, key=lambda process: (-(process.used or 0), process.pid))
    return [ProcessRow(place, where, process) for process in largest_first]
