"""Textual's driver of the terminal: it rests while nothing is typed, sends only what has changed,
and tells `Ending` of the end.

The parser of what terminals send is a private name of Textual's, which is used here alone.
"""

from __future__ import annotations

import os
import select
from codecs import getincrementaldecoder

from textual._xterm_parser import XTermParser
from textual.constants import ESCAPE_DELAY
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Key
from textual.message import Message
from vramtop.tui.terminal.screen_memory import ScreenMemory

from .ending import ASKED_SECONDS, LEAVING_SECONDS, Ending
from .state_app import StateApp

_READ_BYTES = 4096


def watched(app: StateApp, ending: Ending) -> type[LinuxDriver]:
    """The class of the driver for this app."""
    memory = ScreenMemory()

    class WatchedDriver(LinuxDriver):
        """Reads keys in a thread of its own, so that ctrl-C is seen whatever the app does.

        Textual sends each line from where its widget begins, in many short styles; most of that
        stands there already and is left out.

        The thread ends once `_reading`, the end of a pipe that it does not read, is closed.
        """

        _reading: int | None = None

        def write(self, data: str) -> None:
            """Send what the terminal does not show yet."""
            try:
                size = os.get_terminal_size(self.fileno)
            except OSError:  # the terminal is gone
                size = os.terminal_size((0, 0))
            super().write(memory.thinned(data, size))

        def start_application_mode(self) -> None:
            """Take over the terminal, and start the thread."""
            self._stopped, self._reading = os.pipe()
            super().start_application_mode()  # type: ignore[no-untyped-call]

        def run_input_thread(self) -> None:
            """Pass on what is typed.

            Textual's own thread looks ten times a second whether something was typed. That is most
            of what a monitor costs while the training is paused.
            """
            parser, decode = XTermParser(), getincrementaldecoder("utf-8")().decode
            stopped, wait = self._stopped, None
            while True:
                ready, _, _ = select.select([self.fileno, stopped], [], [], wait)
                if stopped in ready:
                    os.close(stopped)
                    return
                if ready:
                    for message in parser.feed(decode(os.read(self.fileno, _READ_BYTES))):
                        self.process_message(message)
                for message in parser.tick():
                    self.process_message(message)
                # An escape may be the key, or begin a sequence of which more is to come.
                wait = ESCAPE_DELAY if ready else None

        def process_message(self, message: Message) -> None:
            """Pass on what was read; ctrl-C gives the app only so long to end."""
            if isinstance(message, Key) and message.key == "ctrl+c":
                ending.within(ASKED_SECONDS)
            super().process_message(message)

        def disable_input(self) -> None:
            """Stop reading: the app ends, unless it is only suspended."""
            if not app.is_running:
                ending.within(LEAVING_SECONDS)
            if self._reading is not None:
                os.close(self._reading)
                self._reading = None
            super().disable_input()

    return WatchedDriver
