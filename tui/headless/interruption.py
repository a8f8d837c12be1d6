"""ctrl-C while a worker trains: it is asked, then forced, and nothing can hold the command up."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable

from vramtop.tui.terminal.signals import leave, when_asked_to_end
from vramtop.tui.worker.process import STOP_SECONDS, Worker

_LOOK_SECONDS = 0.5


class Interruption:
    """From now on ctrl-C, or a plain kill, ends `worker`; `came` tells whether it was asked for.

    The first one asks the worker to stop. The second one, or `STOP_SECONDS` without an end, kills
    it; then what was measured can still be printed. Where even that is held up by whoever reads
    it, the command leaves.
    """

    def __init__(self, worker: Worker) -> None:
        self.came = False
        self._worker = worker
        self._killed = False
        self._deadline: float | None = None
        self._loop = asyncio.get_running_loop()
        signal.signal(signal.SIGALRM, self._look)
        when_asked_to_end(self._asked)
        # Where a signal comes right before a write that then blocks, Python does not hear of it
        # until that write is interrupted once more.
        signal.setitimer(signal.ITIMER_REAL, _LOOK_SECONDS, _LOOK_SECONDS)

    def _asked(self, *_: object) -> None:
        if not self.came:
            self.came = True
            self._next(self._worker.stop)
        elif not self._killed:  # else a key is held down, and the alarm is set
            self._kill()

    def _look(self, *_: object) -> None:
        """Whether it is late."""
        if self._deadline is None or time.monotonic() < self._deadline:
            return
        if self._killed:
            leave()
        self._kill()

    def _kill(self) -> None:
        self._killed = True
        self._next(self._worker.kill)

    def _next(self, act: Callable[[], None]) -> None:
        """Do so as soon as the loop can, and look again in a while."""
        if self._loop.is_running():
            self._loop.call_soon_threadsafe(act)
        self._deadline = time.monotonic() + STOP_SECONDS
