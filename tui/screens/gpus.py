"""All GPUs of the machine and their processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.message import Message
from vramtop.protocol.gpus import GpuProcess
from vramtop.tui.widgets.cached import CachedContainer, CachedScreen
from vramtop.tui.widgets.gpus.driver_line import DriverLine
from vramtop.tui.widgets.gpus.gpu_table import GpuTable
from vramtop.tui.widgets.gpus.history_charts import HistoryCharts
from vramtop.tui.widgets.gpus.processes import ProcessTable
from vramtop.tui.widgets.hints import ENDS, Hint, KeyHints
from vramtop.tui.widgets.lines import Log, NewsLine
from vramtop.tui.widgets.status import StatusLine
from vramtop.tui.words.keys import PROCESS_KEYS, THEME_KEY

from .room import TooSmall, adapt

_LEAST = (60, 6)  # columns and lines: with fewer, a list would have no line


# The keys of the list of processes, the most wanted first.
_HINTS: tuple[Hint, ...] = (
    ("s", "sort"),
    ("/", "filter"),
    ("t", "tree"),
    ("K", "end…"),
    ("u", "user"),
    ("← →", "command"),
    ("R", "reverse"),
)


class GpuScreen(CachedScreen):
    """The GPUs, a line or two each, and below them the processes that use them."""

    CSS_PATH = "gpus.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        ("up", "choose(-1)", "The one above"),
        ("down", "choose(1)", "The one below"),
        ("pageup", "page(-1)", "A page up"),
        ("pagedown", "page(1)", "A page down"),
        ("home", "choose(-9999)", "The first"),
        ("end", "choose(9999)", "The last"),
        ("tab,shift+tab", "other", "GPUs or processes"),
        ("left", "shift(-1)", "The beginnings of commands"),
        ("right", "shift(1)", "The ends of commands"),
        *(Binding(key.keys, f"app.{key.action}", key.help, show=False) for key in PROCESS_KEYS),
    ]
    HINTS: ClassVar[tuple[Hint, ...]] = (("↑ ↓", "choose"), ("tab", "list"), *_HINTS)
    ENDS: ClassVar[tuple[Hint, ...]] = ENDS

    class Placed(Message):
        """The GPU at this place was chosen."""

        def __init__(self, place: int) -> None:
            super().__init__()
            self.place = place

    def compose(self) -> ComposeResult:
        """The parts, from top to bottom."""
        yield TooSmall()
        yield DriverLine()
        with CachedContainer(id="lists"):
            yield GpuTable()
            yield HistoryCharts()
            yield ProcessTable()
        yield Log()
        yield NewsLine()
        yield KeyHints(self.HINTS, self.ENDS)

    def on_resize(self, event: Resize) -> None:
        """Choose what the screen has room for."""
        adapt(self, event.size, _LEAST)

    def action_choose(self, by: int) -> None:
        """Choose another GPU, or another process, `by` lines further down."""
        self._active.move(by)
        self._follow()

    def action_page(self, by: int) -> None:
        """Choose a page further down; negative is up."""
        self.action_choose(by * self._active.page)

    def action_other(self) -> None:
        """Let the keys choose in the other list: among the processes first the chosen GPU's."""
        if not self.on_gpus:
            self._give_keys_to_processes(give=False)
        elif not self.go_to_processes():
            self._give_keys_to_processes(give=True)

    def action_shift(self, by: int) -> None:
        """Move the commands of the processes, so that all of them can be read."""
        self.query_one(ProcessTable).shift(by)

    @property
    def chosen(self) -> GpuProcess | None:
        """The process that the keys have chosen; None where there is none or none is known."""
        return self.query_one(ProcessTable).chosen

    @property
    def on_gpus(self) -> bool:
        """Whether the keys choose a GPU, not a process."""
        return self.query_one(GpuTable).active

    def go_to_processes(self) -> bool:
        """Let the keys choose among the chosen GPU's processes; False where it has none."""
        place = self.query_one(GpuTable).chosen
        if place is None or not self.query_one(ProcessTable).choose_on(place):
            return False
        self._give_keys_to_processes(give=True)
        return True

    def on_process_table_chosen(self) -> None:
        """Let the keys choose where the mouse did."""
        self._give_keys_to_processes(give=True)

    def on_gpu_table_chosen(self) -> None:
        """Let the keys choose where the mouse did."""
        self._give_keys_to_processes(give=False)

    def _give_keys_to_processes(self, *, give: bool) -> None:
        self.query_one(GpuTable).activate(active=not give)
        self.query_one(ProcessTable).activate(active=give)
        self._follow()

    @property
    def _active(self) -> GpuTable | ProcessTable:
        gpus = self.query_one(GpuTable)
        return gpus if gpus.active else self.query_one(ProcessTable)

    def _follow(self) -> None:
        """Show the GPU of the chosen process; processes of a GPU that was chosen come first."""
        gpus, processes = self.query_one(GpuTable), self.query_one(ProcessTable)
        if processes.active and processes.place is not None:
            gpus.choose(processes.place)
        if gpus.chosen is not None:
            self.query_one(HistoryCharts).choose(gpus.chosen)
            if gpus.active:
                self.post_message(self.Placed(gpus.chosen))


class GpusAlone(GpuScreen):
    """The same without a training, where somebody can look inside a process."""

    HINTS = (
        ("↑ ↓", "choose"),
        ("enter", "look inside"),
        ("tab", "list"),
        *_HINTS,
        ("space", "hold"),
    )


class GpusOverProgram(GpuScreen):
    """The same over a program."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape,g", "dismiss", "Close"),
        Binding(THEME_KEY.keys, f"app.{THEME_KEY.action}", THEME_KEY.help, show=False),
    ]
    ENDS = (("esc", "back"), *ENDS)

    def compose(self) -> ComposeResult:
        """The same parts, below the line on the program."""
        yield StatusLine()
        yield from super().compose()


class TrainingGpus(GpusOverProgram):
    """The same over a training; `move` is called with the place of the GPU to move to."""

    BINDINGS: ClassVar[list[BindingType]] = [("enter", "move", "Move the training there")]
    HINTS = (("↑ ↓", "choose"), ("enter", "move the training there"), ("tab", "list"), *_HINTS)

    def __init__(self, move: Callable[[int], None]) -> None:
        super().__init__()
        self._move = move

    def action_move(self) -> None:
        """Move the training to the chosen GPU."""
        place = self.query_one(GpuTable).chosen
        if place is not None:
            self._move(place)
