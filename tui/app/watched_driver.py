"""Textual's driver of the terminal, which also tells `Ending` that the app is to end."""

from __future__ import annotations

from textual.drivers.linux_driver import LinuxDriver
from textual.events import Key
from textual.message import Message

from .ending import ASKED_SECONDS, LEAVING_SECONDS, Ending
from .state_app import StateApp


def watched(app: StateApp, ending: Ending) -> type[LinuxDriver]:
    """The class of the driver for this app."""

    class WatchedDriver(LinuxDriver):
        """Reads keys in a thread of its own, so that ctrl-C is seen whatever the app does."""

        def process_message(self, message: Message) -> None:
            """Pass on what was read; ctrl-C gives the app only so long to end."""
            if isinstance(message, Key) and message.key == "ctrl+c":
                ending.within(ASKED_SECONDS)
            super().process_message(message)

        def disable_input(self) -> None:
            """Stop reading: the app ends, unless it is only suspended."""
            if not app.is_running:
                ending.within(LEAVING_SECONDS)
            super().disable_input()

    return WatchedDriver
