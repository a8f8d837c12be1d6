"""ctrl-C while a worker trains: it is asked, then forced, and nothing can hold the command up."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from .signals import leave, when_asked_to_end
from .worker import STOP_SECONDS, Worker


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
        self._loop = asyncio.get_running_loop()
        signal.signal(signal.SIGALRM, self._late)
        when_asked_to_end(self._asked)

    def _asked(self, *_: object) -> None:
        if not self.came:
            self.came = True
            self._next(self._worker.stop)
        elif not self._killed:  # else a key is held down, and the alarm is set
            self._kill()

    def _late(self, *_: object) -> None:
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
        signal.setitimer(signal.ITIMER_REAL, STOP_SECONDS)
