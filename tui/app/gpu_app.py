"""The app that shows the GPUs alone: it starts no worker and trains nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from vramtop.tui.screens.gpus import GpusAlone
from vramtop.tui.screens.help import GPU_SCREEN_KEYS, Help
from vramtop.tui.state.state import State
from vramtop.tui.terminal.capabilities import Terminal
from vramtop.tui.words.keys import GPU_KEYS, Key
from vramtop.tui.worker.link import Watch

from .config import Config
from .state_app import FULL, NO_CONFIG, StateApp


class GpuApp(StateApp):
    """The machine's GPUs and their processes.

    The app ends with `inside` as the pid of a process that somebody wants to look into; else it is
    None. `first` is said at the start, as why the process before could not be looked into.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key.keys, key.action, key.help, show=False) for key in GPU_KEYS
    ]

    def __init__(
        self,
        watch: Callable[[], Watch] | None = None,
        terminal: Terminal = FULL,
        config: Config = NO_CONFIG,
        *,
        first: str | None = None,
    ) -> None:
        super().__init__(State(life="none"), watch, terminal, config)
        self.inside: int | None = None
        self._first = first

    def get_default_screen(self) -> GpusAlone:
        """The GPUs."""
        return GpusAlone()

    def on_gpus_alone_look_inside(self, message: GpusAlone.LookInside) -> None:
        """End, so that the process can be shown instead."""
        self.inside = message.pid
        self.exit(0)

    @property
    def keys(self) -> Sequence[Key]:
        """The keys that mean something where nothing is trained."""
        return GPU_KEYS

    def begin(self) -> None:
        """Show that nothing is known yet, then look at the GPUs."""
        # The parts of a screen are there only now, unlike those that an app composes itself.
        self.painter.paint_anew(self.state)
        super().begin()
        if self._first is not None:
            self.say(self._first, "error")

    def action_help(self) -> None:
        """What the keys do."""
        self.layers.open(Help(self.keys, (GPU_SCREEN_KEYS,)))
