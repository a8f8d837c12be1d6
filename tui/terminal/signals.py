"""The signals that ask the command to end. Imported first, so it imports nothing that is slow."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType

from .exits import INTERRUPTED

Handler = Callable[[int, "FrameType | None"], object]


def when_asked_to_end(handler: Handler) -> None:
    """Call `handler` at ctrl-C, at a plain kill and when the terminal closes, from now on.

    Unlike asyncio's own handlers, these stay when a loop ends: a late ctrl-C does no harm.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup has asked for that
        signal.signal(signal.SIGHUP, handler)


def leave(*_: object) -> None:
    """End at once and silently; the processes that were started die with their parent."""
    os._exit(INTERRUPTED)
