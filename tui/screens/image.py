"""An image on its way to the model, the model, and the batch size between them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.events import Resize
from vramtop.tui.widgets.cached import CachedContainer, CachedScreen
from vramtop.tui.widgets.hints import ENDS, Hint, KeyHints
from vramtop.tui.widgets.image.batch_size import BatchSizeTable, BatchSizeUses
from vramtop.tui.widgets.image.graphics import available
from vramtop.tui.widgets.image.picture import ImageLine, PicturePanel
from vramtop.tui.widgets.image.stages import StageTable
from vramtop.tui.widgets.image.types import TypeTable
from vramtop.tui.widgets.status import StatusLine
from vramtop.tui.widgets.step.layers import LayerTable

from .room import TooSmall, adapt

# A terminal with this many columns and lines shows all parts at once.
_WIDE, _HIGH = 116, 39


class ImageScreen(CachedScreen):
    """All parts at once in a large terminal; in others page by page, the image first.

    `show` is called to ask for the image at an index, or with None for the next one.
    """

    CSS_PATH = "image.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape,i", "dismiss", "Close"),
        ("N", "previous", "The image before"),
        ("tab", "page(1)", "The next page"),
        ("shift+tab", "page(-1)", "The page before"),
    ]
    HINTS: ClassVar[tuple[Hint, ...]] = (
        ("n", "another image"),
        ("N", "the one before"),
        ("+ -", "batch"),
        ("d", "dataset"),
    )
    MORE: ClassVar[tuple[Hint, ...]] = (("tab", "more"), *HINTS)

    def __init__(self, show: Callable[[int | None], None]) -> None:
        super().__init__()
        self._show = show
        self._page = 0

    def compose(self) -> ComposeResult:
        """The parts; `app.tcss` says where each is."""
        yield TooSmall()
        yield StatusLine()
        yield ImageLine()
        with CachedContainer(id="parts"):
            yield PicturePanel(real=available(os.environ))
            yield StageTable()
            yield TypeTable()
            yield LayerTable()
            yield BatchSizeTable()
            yield BatchSizeUses()
        ends = (("esc", "back"), *ENDS)
        yield KeyHints(self.HINTS, ends).add_class("all")
        yield KeyHints(self.MORE, ends).add_class("some")

    def on_resize(self, event: Resize) -> None:
        """Choose what the screen has room for."""
        adapt(self, event.size, way="esc goes back.")
        self.set_class(event.size.width >= _WIDE and event.size.height >= _HIGH, "whole")

    def action_page(self, by: int) -> None:
        """Show another page; a short terminal has three, others two or all at once."""
        if self.has_class("whole"):
            return
        self._page = (self._page + by) % (3 if self.has_class("short") else 2)
        self.set_class(self._page == 1, "second")
        self.set_class(self._page == 2, "third")

    def action_previous(self) -> None:
        """Ask for the image before the one that is shown; before the first comes the last."""
        self._show(self.query_one(PicturePanel).before)
