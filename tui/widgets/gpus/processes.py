"""The processes that hold memory on the machine's GPUs."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.events import Click, MouseScrollDown, MouseScrollUp
from textual.message import Message
from textual.strip import Strip
from vramtop.protocol.gpus import GpuProcess
from vramtop.tui.state.processes import Column, ProcessRow, ProcessView, all_rows, process_rows
from vramtop.tui.state.state import State
from vramtop.tui.terminal.palette import ink
from vramtop.tui.widgets.panel import Panel
from vramtop.tui.words import units

from .process_columns import Cell, column_at, columns, heading, value
from .window import Window, window

_MARKS = 2  # the cursor, and the mark of our own process
_WHEEL = 3  # rows
_SHIFT = 16  # columns by which the commands move


class ProcessList(msgspec.Struct, frozen=True):
    """The rows of a view, out of `count`. `asked` says that NVML has answered.

    `pid` is that of the trainer or of the program that is watched; `trained` tells which.
    """

    rows: tuple[ProcessRow, ...]
    count: int
    view: ProcessView
    pid: int | None
    asked: bool
    trained: bool


class ProcessTable(Panel[ProcessList]):
    """A row for each process on each GPU; the trainer's is marked.

    While it is `active`, keys choose a row here; the wheel or a click always can. A click on a
    title sorts.
    """

    LIVE = True

    class Chosen(Message):
        """A row was chosen with the mouse."""

    class Titled(Message):
        """The title of a column was clicked."""

        def __init__(self, column: Column) -> None:
            super().__init__()
            self.column: Column = column

    def __init__(self) -> None:
        super().__init__()
        self.active = False
        self._chosen = 0
        self._row: ProcessRow | None = None  # the chosen row when it was chosen
        self._frame = Window(0, 0, 0)
        self._cells: tuple[Cell, ...] = ()
        self._shift = 0  # steps by which the commands have moved to the left

    @property
    def _rows(self) -> Sequence[ProcessRow]:
        return self._shown.rows if self._shown else ()

    @property
    def place(self) -> int | None:
        """The place of the chosen row's GPU among the GPUs; None where there is no row."""
        rows = self._rows
        return rows[self._at(rows)].place if rows else None

    @property
    def chosen(self) -> GpuProcess | None:
        """The chosen process; None where there is none, or where it is not known."""
        rows = self._rows
        return rows[self._at(rows)].process if rows else None

    def choose_on(self, place: int) -> bool:
        """Choose the first process of the GPU at that place; False where it has none."""
        rows = self._rows
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
        if self._rows:
            self._choose(self._at(self._rows) + by)

    def shift(self, by: int) -> None:
        """Move the commands `by` steps to the left, so that their ends come into sight.

        The first step shows them with the folder of the program, which is left out otherwise.
        """
        steps = -(-self._beyond // _SHIFT)
        self._shift = max(0, min(self._shift + by, 1 + steps))
        self.draw_again()

    @property
    def _beyond(self) -> int:
        """How many characters of the longest command have no room."""
        room = self._cells[-1].width - 1 if self._cells else 0
        longest = max((len(row.branch) + len(self._command(row)) for row in self._rows), default=0)
        return max(0, longest - room)

    def activate(self, *, active: bool) -> None:
        """Let the keys choose here, or no longer. What they are at stays chosen in any order."""
        self.active = active
        self._choose(self._at(self._rows))
        self.draw_again()

    def on_click(self, event: Click) -> None:
        """Choose the row that was clicked on, or sort by the column whose title was."""
        if event.y == 0:
            column = column_at(self._cells, event.x - _MARKS)
            if column is not None:
                self.post_message(self.Titled(column))
            return
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
        rows = self._rows
        if rows:
            self._chosen = max(0, min(row, len(rows) - 1))
            self._row = rows[self._chosen]
            self.draw_again()

    def _at(self, rows: Sequence[ProcessRow]) -> int:
        """The place of the chosen row; where it is gone, its former place."""
        same = (at for at, row in enumerate(rows) if self._row and row.same(self._row))
        return next(same, max(0, min(self._chosen, len(rows) - 1)))

    def pick(self, state: State) -> ProcessList:
        """The processes of all GPUs, as they are to be listed."""
        report, view = state.gpus, state.process_view
        asked = report is not None and report.trouble is None
        rows = process_rows(report, view) if report else ()
        count = len(all_rows(report)) if report else 0
        return ProcessList(rows, count, view, state.pid, asked, state.lesson is not None)

    def draw(self, shown: ProcessList, width: int, height: int) -> list[Strip]:
        """As many rows as there is room for, and how many more there are."""
        muted = ink(self.palette.muted)
        if not shown.count:
            text = "no process holds memory on a GPU" if shown.asked else ""
            return [self.strip(Text(units.cut(text, width), muted), width)]
        self._cells = cells = columns(shown.rows, width - _MARKS)
        head = " " * _MARKS + heading(cells, shown.view)
        picture = [self.strip(Text(_with_filter(head, shown, width), muted), width)]
        chosen = self._at(shown.rows)
        self._frame = window(len(shown.rows), height - 1, chosen, self._frame.first)
        for at in range(self._frame.first, self._frame.end):
            here = self.active and at == chosen
            picture.append(self._line(shown.rows[at], shown, cells, width, chosen=here))
        if self._frame.hidden:
            picture.append(self.strip(Text(f"  {self._frame.hidden}", muted), width))
        return picture

    def _line(
        self,
        row: ProcessRow,
        shown: ProcessList,
        cells: Sequence[Cell],
        width: int,
        *,
        chosen: bool,
    ) -> Strip:
        colors, paper, process = self.palette, self._paper, row.process
        accent, muted = ink(colors.accent, bold=True), ink(colors.muted)
        cursor = "›" if chosen else " "
        if process is None:
            text = f"{cursor} {row.where:>{cells[0].width}}  processes {row.refused}"
            return Strip([Segment(units.cut(text, width), paper + muted)])
        ours = process.pid == shown.pid
        usual = ink(colors.text, bold=ours or chosen)
        marks = cursor + ("▸" if ours else " ")
        segments = [Segment(marks, paper + (accent if marks.strip() else usual))]
        for cell in cells[:-1]:
            # Each change of style takes the terminal 40 bytes, and times change each second.
            style = usual
            if cell.column == "inside":
                style = muted if process.inside not in ("observed", "possible") else accent
            segments.append(Segment(cell.text(value(cell, row, process)), paper + style))
        segments += self._command_cell(row, cells[-1].width, usual if ours or chosen else muted)
        return Strip(Segment.simplify(segments)).crop(0, width)

    def _command_cell(self, row: ProcessRow, width: int, style: Style) -> list[Segment]:
        """The branch, which stays, and so much of the command as has room."""
        paper, room = self._paper, max(0, width - len(row.branch) - 1)
        text = self._command(row)
        if not self._shift and row.process and text == row.process.command:
            program, space, rest = text.partition(" ")
            text = program.rpartition("/")[2] + space + rest
        elif self._shift > 1:
            # The last step brings the end of the longest command to the end of the line.
            text = "…" + text[min((self._shift - 1) * _SHIFT, self._beyond) + 1 :]
        branch = units.cut(row.branch, max(0, width - 1))
        return [
            Segment(f" {branch}", paper + ink(self.palette.muted)),
            Segment(units.cut(text, room), paper + style),
        ]

    def _command(self, row: ProcessRow) -> str:
        process, shown = row.process, self._shown
        if process is None or shown is None:
            return ""
        if shown.trained and process.pid == shown.pid:
            return "this training"
        return process.command or units.MISSING


def _with_filter(head: str, shown: ProcessList, width: int) -> str:
    """The titles; at their end what is listed where that is not all."""
    view = shown.view
    parts = [f"/{view.words}"] if view.words else []
    parts += [view.user] if view.user is not None else []
    if not parts:
        return units.cut(head, width)
    listed = sum(bool(row.where) for row in shown.rows)
    text = f"  {' · '.join(parts)} · {listed} of {shown.count}"
    return units.cut(head, max(0, width - len(text))).ljust(width - len(text)) + text
