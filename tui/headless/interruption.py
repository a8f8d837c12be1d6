"""ctrl-C while a worker trains: the worker is asked to stop, then killed."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable

from vramtop.tui.terminal.signals import leave, when_asked_to_end
from vramtop.tui.worker.process import STOP_SECONDS, Worker

_LOOK_SECONDS = 0.5


class Interruption:
    """Ends `worker` at ctrl-C or a plain kill, from now on; `came` says whether one has come.

    The first one asks the worker to stop. A second one kills it, or `STOP_SECONDS` without an end
    do. What was measured can then still be printed. If nobody reads it, the command ends too.
    """

    def __init__(self, worker: Worker) -> None:
        self.came = False
        self._worker = worker
        self._killed = False
        self._deadline: float | None = None
        self._loop = asyncio.get_running_loop()
        signal.signal(signal.SIGALRM, self._look)
        when_asked_to_end(self._asked)
        # A signal may come right before a write that blocks. Python handles it only once that write
        # is interrupted again: by this timer.
        signal.setitimer(signal.ITIMER_REAL, _LOOK_SECONDS, _LOOK_SECONDS)

    def _asked(self, *_: object) -> None:
        if not self.came:
            self.came = True
            self._next(self._worker.stop)
        elif not self._killed:
            self._kill()

    def _look(self, *_: object) -> None:
        """Kill the worker, or leave, once the deadline has passed."""
        if self._deadline is None or time.monotonic() < self._deadline:
            return
        if self._killed:
            leave()
        self._kill()

    def _kill(self) -> None:
        self._killed = True
        self._next(self._worker.kill)

    def _next(self, act: Callable[[], None]) -> None:
        """Act as soon as the event loop can, and set the next deadline."""
        if self._loop.is_running():
            self._loop.call_soon_threadsafe(act)
        self._deadline = time.monotonic() + STOP_SECONDS
