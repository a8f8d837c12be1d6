"""Lets the allocator note nothing while the program forks, so that it notes nothing in the child.

There nobody could end that without the allocator's lock, which another thread may have held.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import Lock, get_ident

from .windows import Windows

_PATIENCE_SECONDS = 1.0  # for which a fork waits where something else is being noted


class Forking:
    """Is told before and after each fork, in the thread that forks. Neither raises.

    `turn` gives the lock of whoever notes anything; it is held from one to the other.
    """

    def __init__(self, windows: Windows, turn: Callable[[], Lock]) -> None:
        self._windows, self._turn = windows, turn
        self._held: Lock | None = None
        self._thread = 0

    def before(self) -> None:
        """The program forks."""
        turn = self._turn()
        if turn.acquire(timeout=_PATIENCE_SECONDS):
            self._held, self._thread = turn, get_ident()
            with suppress(Exception):
                self._windows.pause()

    def after(self) -> None:
        """It has forked, and this is the parent."""
        if self._held is None or self._thread != get_ident():
            return
        held, self._held = self._held, None
        try:
            self._windows.resume()
        except Exception:
            self._windows.abandon()
        finally:
            held.release()
