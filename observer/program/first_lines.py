"""The lines that allocate on CUDA before the first watched step, in a program seen from its start.

What they allocated is older than that step, and then has its line.
"""

from __future__ import annotations

from ..private_cuda import (
    history_enabled,
    start_history,
    stop_history,
)
from .history import HistoryCalls

_ENTRIES = 1  # the blocks themselves keep their lines


class FirstLines:
    """Lets CUDA's allocator note the line of each block."""

    def __init__(self) -> None:
        self._noting = self._paused = False
        self._history_calls = HistoryCalls(self.end)

    def begin(self) -> None:
        """Begin, unless the program itself records the allocator's history."""
        if not history_enabled():
            self._noting = True
            start_history(_ENTRIES, lines=True)
            self._history_calls.hear()

    def end(self) -> None:
        """End, also when the program begins to record itself. Blocks keep their lines."""
        self._history_calls.ignore()
        noting, self._noting = self._noting, False
        if noting:
            stop_history()

    def pause(self) -> None:
        """The program is about to fork: in the child nobody could end this."""
        noting = self._noting
        self.end()
        self._paused = noting

    def resume(self) -> None:
        """It has forked: go on."""
        paused, self._paused = self._paused, False
        if paused:
            self.begin()

    def forget(self) -> None:
        """In a forked child: hear nothing any more. The allocator is the parent's."""
        self._noting = self._paused = False
        self._history_calls.ignore()
