"""The screens over an app's main one. All of them are opened here, and nobody waits for it.

Whoever handles a message must not wait for a screen to open or close: both may need that message
handled first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.app import App
from textual.events import Event, Key
from textual.screen import Screen


class Layers:
    """Opens screens over the main one of `app`; `opened` is called once a screen has all its parts.

    Keys that are pressed while a screen opens are for that screen, in their order.
    """

    def __init__(self, app: App[int], opened: Callable[[], None]) -> None:
        self._app = app
        self._opened = opened
        self._opening: Screen[Any] | None = None
        self._early: list[Key] = []  # keys pressed since then

    def open(self, screen: Screen[Any]) -> None:
        """Put a screen over the others; where there is one of its kind, go back to that one."""
        kind, app = type(screen), self._app
        if any(type(other) is kind for other in app.screen_stack):
            while type(app.screen) is not kind:
                app.pop_screen()
            return
        self._opening = screen
        app.push_screen(screen)
        # A screen handles this first of all once its parts are there.
        screen.call_later(app.call_later, self._handle_early_keys)

    def close_all(self) -> None:
        """Go back to the main screen."""
        while len(self._app.screen_stack) > 1:
            self._app.pop_screen()

    def keep(self, event: Event) -> bool:
        """Keep a key for the screen that is opening; False for what is to be handled now."""
        if self._opening is None or not isinstance(event, Key) or event.is_forwarded:
            return False
        self._early.append(event)
        return True

    async def _handle_early_keys(self) -> None:
        """Handle the keys that were pressed meanwhile; one of them may open another screen."""
        self._opening = None
        self._opened()
        early, self._early = self._early, []
        for key in early:
            await self._app.on_event(key)
