"""The app that shows the GPUs alone: it starts no worker and trains nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from vramtop.tui.screens.gpus import GpuScreen
from vramtop.tui.screens.help import GPU_SCREEN_KEYS, Help
from vramtop.tui.state.state import State
from vramtop.tui.terminal.capabilities import Terminal
from vramtop.tui.words.keys import GPU_KEYS, Key
from vramtop.tui.worker.link import Watch

from .config import Config
from .state_app import FULL, NO_CONFIG, StateApp


class GpuApp(StateApp):
    """The machine's GPUs and their processes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key.keys, key.action, key.help, show=False) for key in GPU_KEYS
    ]

    def __init__(
        self,
        watch: Callable[[], Watch] | None = None,
        terminal: Terminal = FULL,
        config: Config = NO_CONFIG,
    ) -> None:
        super().__init__(State(life="none"), watch, terminal, config)

    def get_default_screen(self) -> GpuScreen:
        """The GPUs."""
        return GpuScreen()

    @property
    def keys(self) -> Sequence[Key]:
        """The keys that mean something where nothing is trained."""
        return GPU_KEYS

    def begin(self) -> None:
        """Show that nothing is known yet, then look at the GPUs."""
        # The parts of a screen are there only now, unlike those that an app composes itself.
        self.painter.paint_anew(self.state)
        super().begin()

    def action_help(self) -> None:
        """What the keys do."""
        self.layers.open(Help(self.keys, (GPU_SCREEN_KEYS,)))
