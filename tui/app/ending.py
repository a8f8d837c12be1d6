"""Ends the process by force where the app does not end in time.

Nothing here waits for the event loop, for a message to be handled, or for the main thread: each of
them may be what is stuck.
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

# Seconds until the process is ended by force: after it was asked to end, and after the app has
# begun to end, which includes the worker's time to stop.
ASKED_SECONDS = 2.0
LEAVING_SECONDS = STOP_SECONDS + 2
# How often to look whether the terminal is still there.
_LOOK_SECONDS = 5.0
_REAP_SECONDS = 0.3
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Ends a sequence that is half written, then undoes what Textual has switched on: synchronized
# output; reports of mouse, focus, paste and size; kitty's keyboard; no wrapping; the alternate
# screen; the hidden cursor.
_RESTORE = (
    b"\x18\x1b[?2026l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1016l"
    b"\x1b[?1004l\x1b[?2004l\x1b[?2048l\x1b[<u\x1b[?7h\x1b[?1049l\x1b[?25h\x1b[0m"
)
_STDIN, _STDERR = 0, 2  # Textual reads the terminal on one and draws on the other


class Ending:
    """A thread that sees to it that this process ends.

    `ask` is called in that thread when a signal asks the process to end. If it still runs
    `ASKED_SECONDS` later, the thread kills the worker, restores the terminal, and ends the process
    with exit code 130.
    """

    def __init__(self, ask: Callable[[], object]) -> None:
        self._ask = ask
        self._deadline: float | None = None
        self._lock = threading.Lock()
        self._before: list[Any] | None = None
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)

    def begin(self) -> None:
        """Start the thread. To be called in the main thread, before the terminal is changed."""
        with contextlib.suppress(termios.error):
            self._before = termios.tcgetattr(_STDIN)
        for number in _SIGNALS:
            signal.signal(number, _hang_up if number == signal.SIGHUP else _nothing)
        # Python writes a signal's number to that pipe at once, whatever the main thread does.
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, name="ending", daemon=True).start()

    def within(self, seconds: float) -> None:
        """End by force if this process still runs after `seconds`; an earlier limit stays."""
        latest = time.monotonic() + seconds
        with self._lock:
            self._deadline = latest if self._deadline is None else min(self._deadline, latest)
        with contextlib.suppress(BlockingIOError):
            os.write(self._write, b"\0")  # the thread now waits for less

    def _watch(self) -> None:
        while True:
            deadline = self._deadline
            wait = _LOOK_SECONDS if deadline is None else deadline - time.monotonic()
            if wait <= 0:
                _leave(self._before)
            if select.select([self._read], [], [], wait)[0]:
                if set(os.read(self._read, 4096)) & set(_SIGNALS):
                    with contextlib.suppress(RuntimeError):  # the event loop has ended already
                        self._ask()
                    self.within(ASKED_SECONDS)
            elif deadline is None and _no_terminal():
                # Textual waits for ever where it can no longer write, and handles no signal then.
                self.within(LEAVING_SECONDS)


def _nothing(*_: object) -> None:
    """Do nothing in the main thread: the signal's number is in the pipe."""


def _hang_up(*_: object) -> None:
    """Ignore the SIGCONT that the kernel sends after a hangup.

    Textual would take it as the end of a suspension, and read from a terminal that is gone.
    """
    signal.signal(signal.SIGCONT, signal.SIG_IGN)


def _no_terminal() -> bool:
    try:
        termios.tcgetattr(_STDIN)
    except termios.error:
        return True
    return False


def _leave(before: list[Any] | None) -> None:
    """End this process and those that it has started, and restore the terminal."""
    import psutil

    with contextlib.suppress(psutil.Error):
        children = psutil.Process().children(recursive=True)
        for child in children:
            with contextlib.suppress(psutil.Error):
                child.kill()
        psutil.wait_procs(children, timeout=_REAP_SECONDS)
    with contextlib.suppress(OSError, termios.error):
        terminal = os.dup(_STDERR)
        # From now on, what Textual's threads draw goes nowhere.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, _STDERR)
        # Nothing may block here, not even a terminal that accepts no more output.
        termios.tcflush(terminal, termios.TCOFLUSH)
        if select.select([], [terminal], [], 0.1)[1]:
            os.write(terminal, _RESTORE)
        if before is not None:
            termios.tcsetattr(_STDIN, termios.TCSANOW, before)
    os._exit(INTERRUPTED)
