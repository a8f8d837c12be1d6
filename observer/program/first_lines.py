"""The lines that allocate on CUDA before the first watched step, in a program seen from its start.

What they allocated is older than that step, and then has its line.
"""

from __future__ import annotations

import torch

from ..private import allocator_snapshot, history_enabled, start_history, stop_history

_ENTRIES = 1  # the blocks themselves keep their lines


class FirstLines:
    """Lets CUDA's allocator note the line of each block."""

    def __init__(self) -> None:
        self._noting = False

    def begin(self) -> None:
        """Begin, unless the program itself records the allocator's history."""
        if not history_enabled():
            start_history(_ENTRIES, lines=True)
            self._noting = True

    def end(self) -> None:
        """End. Blocks keep the lines that they have."""
        if self._noting:
            self._noting = False
            if not _longer():
                stop_history()


def _longer() -> bool:
    """Whether the program itself has begun to record meanwhile, so that there is more history."""
    snapshot = allocator_snapshot(torch.device("cuda", torch.cuda.current_device()))
    return any(len(trace) > _ENTRIES for trace in snapshot["device_traces"])
