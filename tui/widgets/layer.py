"""What all screens have in common: they lie over one another, and the terminal changes its size."""

from __future__ import annotations

from textual import on
from textual.await_complete import AwaitComplete
from textual.command import CommandPalette
from textual.events import Resize
from textual.screen import Screen
from textual.widgets import Input


class Layer(Screen[None]):
    """A screen that leaves only while it is on top, and has the terminal's present size."""

    @property
    def on_top(self) -> bool:
        """Whether no other screen lies over it; false too once it has left."""
        return self.app.screen is self

    def on_resize(self, event: Resize) -> None:
        """Ignore a size that the terminal has no longer.

        Textual lays a screen out for each size that is reported, and reports each change of a
        screen's size to that screen: two sizes on their way at once would follow each other
        without end, and nothing else would be heard.
        """
        if event.size != self.app.size:
            event.prevent_default()

    def dismiss(self, result: None = None) -> AwaitComplete:
        """Leave. Textual would take away whichever screen is on top, and end at the last one."""
        return super().dismiss(result) if self.on_top else AwaitComplete()


class Commands(CommandPalette, Layer):
    """The command palette."""

    @on(Input.Changed)
    def _ignore_late_input(self, event: Input.Changed) -> None:
        """Search no more once it is left: where the search writes its hits is gone by then."""
        if not self.on_top:
            event.prevent_default().stop()
