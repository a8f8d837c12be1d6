"""The screens over an app's main one. All of them are opened here.

A handler of a message must not wait for a screen to open or close: both may need that message
handled first. Textual handles the next key only once the screen has all its parts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.app import App
from textual.screen import Screen


class Layers:
    """Opens screens over the main one of `app`.

    `opened` is called once a screen has all its parts.
    """

    def __init__(self, app: App[int], opened: Callable[[], None]) -> None:
        self._app = app
        self._opened = opened

    def open(self, screen: Screen[Any]) -> None:
        """Put a screen over the others; where there is one of its kind, go back to that one."""
        kind, app = type(screen), self._app
        if any(type(other) is kind for other in app.screen_stack):
            while type(app.screen) is not kind:
                app.pop_screen()
            return
        for path in screen.css_path:
            # Textual would parse all other styles again too.
            if not app.stylesheet.has_source(str(path)):
                app.stylesheet.read(path)
        app.push_screen(screen)
        # A screen handles this first of all once its parts are there.
        screen.call_later(app.call_later, self._opened)

    def close_all(self) -> None:
        """Go back to the main screen."""
        while len(self._app.screen_stack) > 1:
            self._app.pop_screen()
