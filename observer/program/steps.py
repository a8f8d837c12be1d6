"""How many steps the program's optimizers have made, and which of them step."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from threading import get_ident

from .pacing import Pacing

_RECENT = 64
_IDLE_SECONDS = 1.0  # without a step; then a step may be anything


class Steps:
    """Counts the steps of each optimizer, by its `id`, and tells `pacing` how long they take."""

    def __init__(self, pacing: Pacing) -> None:
        self._pacing = pacing
        self._counts: Counter[int] = Counter()
        self._recent: deque[tuple[int, int]] = deque(maxlen=_RECENT)  # threads and optimizers
        self._last: tuple[int, float] | None = None
        self._latest = -math.inf  # when a step was made, watched or not

    def count(self, optimizer: int) -> None:
        """An optimizer has made a step, outside backward passes."""
        self._counts[optimizer] += 1
        self._recent.append((get_ident(), optimizer))

    def time(self, optimizer: int) -> bool:
        """That step was not watched; its time counts from the step before.

        Of several optimizers the steps of one are timed; returns whether this is the one.
        """
        now, last = time.perf_counter(), self._last
        timed = last is None or last[0] == optimizer or self.idle
        if timed:
            if last is not None and last[0] == optimizer:
                self._pacing.plain_step(now - last[1])
            self._last, self._latest = (optimizer, now), now
        return timed

    def watched(self) -> None:
        """That step was watched: no time counts from it."""
        self._last, self._latest = None, time.perf_counter()

    def forget_recent(self) -> None:
        """What stepped so far may not step again."""
        self._recent.clear()

    @property
    def most(self) -> int | None:
        """The steps of the optimizer that made the most; None where there is none."""
        return max(list(self._counts.values()), default=None)

    @property
    def stepping(self) -> bool:
        """Whether any optimizer has stepped of late."""
        return bool(self._recent)

    @property
    def idle(self) -> bool:
        """Whether none has stepped for a while."""
        return time.perf_counter() - self._latest > _IDLE_SECONDS

    @property
    def in_other_threads(self) -> bool:
        """Whether optimizers have stepped in other threads than this one of late."""
        return any(thread != get_ident() for thread, _ in list(self._recent))

    def recent(self) -> list[int]:
        """The optimizers of this thread's latest steps."""
        return [optimizer for thread, optimizer in list(self._recent) if thread == get_ident()]
