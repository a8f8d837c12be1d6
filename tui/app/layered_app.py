"""An app whose screens lie over a main one. All of them are opened here, and nobody waits for it.

Whoever handles a message must not wait for a screen to come or go: both may need that message
handled first.
"""

from __future__ import annotations

from typing import Any

from textual.app import App
from textual.events import Event, Key
from textual.screen import Screen
from vramtop.tui.widgets.layer import Commands


class LayeredApp(App[int]):
    """Keys that are pressed while a screen opens are for that screen, in their order."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - those of Textual's
        super().__init__(**options)
        self._opening: Screen[Any] | None = None
        self._early: list[Key] = []  # keys pressed since then

    def open(self, screen: Screen[Any]) -> None:
        """Put a screen over the others; where there is one of its kind, go back to that one."""
        kind = type(screen)
        if any(type(other) is kind for other in self.screen_stack):
            while type(self.screen) is not kind:
                self.pop_screen()
            return
        self._opening = screen
        self.push_screen(screen)
        # The screen's own queue begins with this, once all that it shows is there.
        screen.call_later(self.call_later, self._opened)

    def close_all(self) -> None:
        """Back to the main screen."""
        while len(self.screen_stack) > 1:
            self.pop_screen()

    def show_state(self) -> None:
        """Tell the screens what they show."""

    async def _opened(self) -> None:
        """Take the keys that were pressed meanwhile; one of them may open another screen."""
        self._opening = None
        self.show_state()
        early, self._early = self._early, []
        for key in early:
            await self.on_event(key)

    async def on_event(self, event: Event) -> None:
        """Handle an event; a key waits for the screen that opens."""
        if isinstance(event, Key) and not event.is_forwarded and self._opening is not None:
            self._early.append(event)
        else:
            await super().on_event(event)

    def action_command_palette(self) -> None:
        """The command palette, of which there is only one."""
        if not isinstance(self.screen, Commands):
            self.open(Commands())
