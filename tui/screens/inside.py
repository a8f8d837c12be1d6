"""The screen of a program that is looked into from the GPUs."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Resize
from vramtop.tui.widgets.cached import CachedScreen
from vramtop.tui.words.keys import INSIDE_KEYS

from .main import parts, resize


class InsideScreen(CachedScreen):
    """The main screen's parts, with keys for what any program has."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key.keys, f"app.{key.action}", key.help, show=False) for key in INSIDE_KEYS),
        # In the help they stand beside right, down and ].
        Binding("left", "app.moment(-1)", "The moment before", show=False),
        Binding("up", "app.choose(-1)", "The category above", show=False),
        Binding("left_square_bracket", "app.list_depth(-1)", "Modules less deep", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(classes="other")

    def compose(self) -> ComposeResult:
        """The parts of the main screen."""
        yield from parts()

    def on_resize(self, event: Resize) -> None:
        """Choose what the screen has room for."""
        resize(self, event.size)
