"""The GPUs alone: nothing is trained, no worker is started."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.binding import Binding, BindingType
from vramtop.protocol.lesson.settings import Settings
from vramtop.tui.screens.gpus import GpuScreen
from vramtop.tui.screens.help import LIST, Help
from vramtop.tui.state.state import State
from vramtop.tui.terminal.capabilities import Terminal
from vramtop.tui.words.keys import LOOKING
from vramtop.tui.worker.link import Received, Watch

from .config import Config
from .saving_app import SavingApp
from .state_app import FULL, NO_CONFIG


class GpuApp(SavingApp):
    """The machine's GPUs and their processes, as the whole program."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key.keys, key.action, key.told, show=False) for key in LOOKING
    ]
    KEYS = LOOKING

    def __init__(
        self,
        watch: Callable[[], Watch] | None = None,
        terminal: Terminal = FULL,
        config: Config = NO_CONFIG,
    ) -> None:
        super().__init__(State(Settings(), life="none"), watch, terminal, config)

    def get_default_screen(self) -> GpuScreen:
        """The GPUs."""
        return GpuScreen()

    def begin(self) -> None:
        """Show that there is nothing yet: its own screen stands only now; then look."""
        self.show_state()
        super().begin()

    def receive(self, message: Received) -> None:
        """Fold a message in; the first is what one waits for."""
        first = self.state.cards is None
        super().receive(message)
        if first:
            self.paint()

    def action_help(self) -> None:
        """What the keys do."""
        self.open(Help(LOOKING, (LIST,)))
