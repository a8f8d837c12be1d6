"""The question before a process gets a signal."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static
from vramtop.protocol.gpus import GpuProcess
from vramtop.tui.widgets.stacked_screen import StackedScreen
from vramtop.tui.words import units

from .room import HEIGHTS

_MOST_LETTERS = 130  # of the command, in two lines
_CHOICES = {
    "i": (signal.SIGINT, "as ctrl-C does"),
    "t": (signal.SIGTERM, "asks it to end"),
    "k": (signal.SIGKILL, "ends it at once, whatever it is at"),
}


class EndProcess(ModalScreen[None], StackedScreen):
    """Names the process; a key says which signal `send` gets, and escape leaves it alone."""

    CSS_PATH = "dialog.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape,q", "dismiss", "Leave it alone"),
        *((f"{key},{key.upper()}", f"send('{key}')", text) for key, (_, text) in _CHOICES.items()),
    ]
    VERTICAL_BREAKPOINTS = HEIGHTS

    def __init__(self, process: GpuProcess, send: Callable[[signal.Signals], None]) -> None:
        super().__init__()
        self._process = process
        self._send = send

    def compose(self) -> ComposeResult:
        """The question, the command, and the keys."""
        process = self._process
        command = units.cut(process.command or units.MISSING, _MOST_LETTERS)
        question = f"End process {process.pid} of {process.user or units.MISSING}?"
        choices = Text()
        for key, (number, text) in _CHOICES.items():
            choices.append(f"{key}  ", "bold").append(f"{number.name[3:]:<6}{text}\n")
        choices.append("esc leaves it alone")
        with Vertical(id="dialog"):
            yield Static(question, id="question", markup=False)
            yield Static(command, id="command", markup=False)
            yield Static(choices, id="hint")

    def action_send(self, key: str) -> None:
        """Send the signal of this key."""
        if not self.on_top:
            return  # a second key, right after the first
        self.dismiss()
        self._send(_CHOICES[key][0])
