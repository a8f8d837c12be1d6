"""Textual's driver of the terminal, with `ending` told of ctrl-C and of an app that leaves."""

from __future__ import annotations

from textual.drivers.linux_driver import LinuxDriver
from textual.events import Key
from textual.message import Message

from .ending import ASKED_SECONDS, LEAVING_SECONDS, Ending
from .state_app import StateApp


def watched(app: StateApp, ending: Ending) -> type[LinuxDriver]:
    """The driver for this app."""

    class WatchedDriver(LinuxDriver):
        """Reads keys in a thread of its own, which hears ctrl-C whatever the app is doing."""

        def process_message(self, message: Message) -> None:
            """Take what was read."""
            if isinstance(message, Key) and message.key == "ctrl+c":
                ending.within(ASKED_SECONDS)
            super().process_message(message)

        def disable_input(self) -> None:
            """Read no more: the app leaves, unless it is only suspended."""
            if not app.is_running:
                ending.within(LEAVING_SECONDS)
            super().disable_input()

    return WatchedDriver
