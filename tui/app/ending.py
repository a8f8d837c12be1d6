"""The last resort: ends the process in time, whatever keeps the app from doing so in good order.

Nothing here waits for the event loop, for a message to be handled, or for the main thread.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import termios
import threading
import time
from collections.abc import Callable
from typing import Any

from vramtop.tui.terminal.exits import INTERRUPTED
from vramtop.tui.worker.process import STOP_SECONDS

# From the wish to end until it is ended by force: for someone who waits, and for an app that has
# begun to end, whose worker has its time to stop.
ASKED_SECONDS = 2.0
LEAVING_SECONDS = STOP_SECONDS + 2
# How often it is looked whether there still is a terminal.
_LOOK_SECONDS = 5.0
_REAP_SECONDS = 0.3
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# What Textual has switched on: ends a sequence that is half written; synchronized output,
# reports of mouse, focus, paste and size, kitty's keyboard, no wrapping, the alternate screen, and
# a hidden cursor.
_RESTORE = (
    b"\x18\x1b[?2026l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1016l"
    b"\x1b[?1004l\x1b[?2004l\x1b[?2048l\x1b[<u\x1b[?7h\x1b[?1049l\x1b[?25h\x1b[0m"
)
_STDIN, _STDERR = 0, 2  # the terminal, as Textual reads and draws on it


class Ending:
    """Watches, in a thread of its own, over the end of this process.

    `ask` is called in that thread when a signal asks the process to end. Where it is still there
    `ASKED_SECONDS` later, the worker is killed, the terminal restored, and the process left with
    exit code 130.
    """

    def __init__(self, ask: Callable[[], object]) -> None:
        self._ask = ask
        self._deadline: float | None = None
        self._lock = threading.Lock()
        self._before: list[Any] | None = None
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)

    def begin(self) -> None:
        """Watch from now on; to be called in the main thread, before the terminal is changed."""
        with contextlib.suppress(termios.error):
            self._before = termios.tcgetattr(_STDIN)
        for number in _SIGNALS:
            signal.signal(number, _hang_up if number == signal.SIGHUP else _nothing)
        # Python writes a signal's number there at once, whatever the main thread is doing.
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, name="ending", daemon=True).start()

    def within(self, seconds: float) -> None:
        """End by force unless the process has ended so many seconds from now, or before."""
        latest = time.monotonic() + seconds
        with self._lock:
            self._deadline = latest if self._deadline is None else min(self._deadline, latest)
        with contextlib.suppress(BlockingIOError):
            os.write(self._write, b"\0")  # the watch waits for less now

    def _watch(self) -> None:
        while True:
            deadline = self._deadline
            wait = _LOOK_SECONDS if deadline is None else deadline - time.monotonic()
            if wait <= 0:
                _leave(self._before)
            if select.select([self._read], [], [], wait)[0]:
                if set(os.read(self._read, 4096)) & set(_SIGNALS):
                    with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                        self._ask()
                    self.within(ASKED_SECONDS)
            elif deadline is None and _no_terminal():
                # Textual waits without end where it can write no more, and then hears no signal.
                self.within(LEAVING_SECONDS)


def _nothing(*_: object) -> None:
    """The signal is told to the watch."""


def _hang_up(*_: object) -> None:
    """Let no "go on" follow, as the kernel says to whoever loses its terminal.

    Textual would take it as the end of a suspension, and read again from what is no more.
    """
    signal.signal(signal.SIGCONT, signal.SIG_IGN)


def _no_terminal() -> bool:
    try:
        termios.tcgetattr(_STDIN)
    except termios.error:
        return True
    return False


def _leave(before: list[Any] | None) -> None:
    """End this process and those that it has started, with the terminal as it was."""
    import psutil

    with contextlib.suppress(psutil.Error):
        children = psutil.Process().children(recursive=True)
        for child in children:
            with contextlib.suppress(psutil.Error):
                child.kill()
        psutil.wait_procs(children, timeout=_REAP_SECONDS)
    with contextlib.suppress(OSError, termios.error):
        terminal = os.dup(_STDERR)
        # What a thread of Textual's still draws goes nowhere.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, _STDERR)
        # Nothing may hold this up, not even a terminal that takes no more.
        termios.tcflush(terminal, termios.TCOFLUSH)
        if select.select([], [terminal], [], 0.1)[1]:
            os.write(terminal, _RESTORE)
        if before is not None:
            termios.tcsetattr(_STDIN, termios.TCSANOW, before)
    os._exit(INTERRUPTED)
