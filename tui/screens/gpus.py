"""All GPUs of the machine and their processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.events import Resize

from ..widgets.gpu_ends import DriverLine, KeyHints
from ..widgets.gpus import GpuTable
from ..widgets.hints import ENDS, Hint
from ..widgets.lines import Log
from ..widgets.processes import ProcessTable
from ..widgets.status import StatusLine
from ..widgets.still import Page
from .room import TooSmall, fit


class GpuScreen(Page):
    """The GPUs, a line or two each, and below them who uses them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("up", "choose(-1)", "The GPU above"),
        ("down", "choose(1)", "The GPU below"),
    ]
    HINTS: ClassVar[tuple[Hint, ...]] = (
        ("↑ ↓", "choose"),
        ("t", "theme"),
    )
    ENDS: ClassVar[tuple[Hint, ...]] = ENDS

    def compose(self) -> ComposeResult:
        """The parts, from top to bottom."""
        yield TooSmall()
        yield DriverLine()
        yield GpuTable()
        yield ProcessTable()
        yield Log()
        yield KeyHints(self.HINTS, self.ENDS)

    def on_resize(self, event: Resize) -> None:
        """Choose what the room is enough for."""
        fit(self, event.size)

    def action_choose(self, by: int) -> None:
        """Another GPU."""
        self.query_one(GpuTable).move(by)


class TrainingGpus(GpuScreen):
    """The same over a training, which `move` lets go on on the GPU at a place."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape,g", "dismiss", "Close"),
        ("enter", "move", "Move the training there"),
    ]
    HINTS = (
        ("↑ ↓", "choose"),
        ("enter", "move the training there"),
    )
    ENDS = (("esc", "back"), *ENDS)

    def __init__(self, move: Callable[[int], None]) -> None:
        super().__init__()
        self._move = move

    def compose(self) -> ComposeResult:
        """What is trained and where stands first."""
        yield StatusLine()
        yield from super().compose()

    def action_move(self) -> None:
        """Move the training to the chosen GPU."""
        place = self.query_one(GpuTable).chosen
        if place is not None:
            self._move(place)
