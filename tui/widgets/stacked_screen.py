"""What all screens have in common: how they close, and how they follow the terminal's size."""

from __future__ import annotations

from textual import on
from textual.await_complete import AwaitComplete
from textual.command import CommandPalette
from textual.events import Resize
from textual.screen import Screen
from textual.widgets import Input


class StackedScreen(Screen[None]):
    """A screen that closes only while it is on top, and takes only the terminal's present size."""

    @property
    def on_top(self) -> bool:
        """Whether no other screen is over it; False too once it is closed."""
        return self.app.screen is self

    def on_resize(self, event: Resize) -> None:
        """Ignore a size that the terminal no longer has.

        Textual lays a screen out for each size that is reported, and reports each change of a
        screen's size to that screen. Two sizes on their way at once would bring each other back for
        ever, and no key would be handled any more.
        """
        if event.size != self.app.size:
            event.prevent_default()

    def dismiss(self, result: None = None) -> AwaitComplete:
        """Close this screen. Textual would close whichever is on top, and fail at the last one."""
        return super().dismiss(result) if self.on_top else AwaitComplete()


class PaletteScreen(CommandPalette, StackedScreen):
    """The command palette."""

    @on(Input.Changed)
    def _ignore_late_input(self, event: Input.Changed) -> None:
        """Do not search once it is closed: the list for the hits is gone by then."""
        if not self.on_top:
            event.prevent_default().stop()
