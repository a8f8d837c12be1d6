"""Ends a process together with the one that started it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

PARENT_CHECK_SECONDS = 0.5
_PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """End this process when its parent ends, for whatever reason."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_CHECK_SECONDS)
        os._exit(1)

    # Other systems have no such signal, and on Linux the parent may have died before it was set.
    threading.Thread(target=watch, daemon=True).start()
