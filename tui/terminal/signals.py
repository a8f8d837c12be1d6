"""The signals that ask the command to end. Nothing heavy is imported here: it is needed first."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType

from .exits import INTERRUPTED

Handler = Callable[[int, "FrameType | None"], object]


def when_asked_to_end(handler: Handler) -> None:
    """Call `handler` at ctrl-C, a plain kill and a terminal that closes, from now on.

    Unlike asyncio's own handlers these stay when a loop ends, so a late ctrl-C is no surprise.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # what nohup has asked for
        signal.signal(signal.SIGHUP, handler)


def leave(*_: object) -> None:
    """End at once, without a word; what was started dies with its parent."""
    os._exit(INTERRUPTED)
