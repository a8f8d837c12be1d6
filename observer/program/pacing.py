"""How often steps are watched: as often as costs at most one part in a hundred, by measurement."""

from __future__ import annotations

import time
from collections import deque
from statistics import median

MOST_SHARE = 0.006  # what cannot be measured must fit into one part in a hundred, too
_NOTING_SECONDS = 4e-6  # by which a step becomes longer that is only counted, with empty caches
_LEAST_PART = 4  # of that share, watching gets one part at least, however short the steps are
LEAST_SECONDS = 0.5  # from a watched step to the next one
_KEPT = 32
_SOON_AGAIN = 3  # times
_MOST_DOUBLED = 7  # to about a minute


class Pacing:
    """Adds up what watching takes of the program's time: `spent`, in seconds.

    What it took `once`, at the beginning, is part of that. The next watched steps need not wait for
    it.
    """

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self.spent = 0.0
        self.once = 0.0
        self._latest = 0.0
        self._next = 0.0  # what the next watched step will take: as the cheaper of the latest two
        self._due = self._began
        self._missed = 0
        self._plain: deque[float] = deque(maxlen=_KEPT)

    @property
    def seconds(self) -> float:
        """How long somebody has watched so far."""
        return time.perf_counter() - self._began

    @property
    def step_seconds(self) -> float | None:
        """The median of steps that were not watched; None before there was one."""
        return median(self._plain) if self._plain else None

    def plain_step(self, seconds: float) -> None:
        """A step that was not watched took so long."""
        self._plain.append(seconds)

    def spend(self, seconds: float) -> None:
        """Watching took so long; the next watched step is due when that is small enough."""
        self._missed = 0
        self.spent += seconds
        self._next, self._latest = min(seconds, self._latest), seconds
        self._due = max(time.perf_counter() + LEAST_SECONDS, self._affordable)

    def spend_in_vain(self, seconds: float) -> None:
        """A step took so long that could not be recorded; another is tried soon, then later."""
        self.spent += seconds
        self._next, self._latest = min(seconds, self._latest), seconds
        self._due = time.perf_counter() + LEAST_SECONDS * 2**self._missed
        if self._missed >= _SOON_AGAIN:
            self._due = max(self._due, self._affordable)
        self._missed = min(self._missed + 1, _MOST_DOUBLED)

    def spend_apart(self, seconds: float) -> None:
        """Something else than a step took so long, as a search; the next step may be due later."""
        self.spent += seconds
        self._due = max(self._due, self._affordable)

    @property
    def _affordable(self) -> float:
        """When all that was spent, with the next step, is small enough."""
        return self._began + (self.spent - self.once + self._next) / self._share

    @property
    def _share(self) -> float:
        """The share of the time that is left for watched steps, with the others noted."""
        step = self.step_seconds
        noting = _NOTING_SECONDS / step if step else 0.0
        return max(MOST_SHARE - noting, MOST_SHARE / _LEAST_PART)

    def wait(self) -> float:
        """The seconds until the next watched step is due."""
        return max(0.0, self._due - time.perf_counter())
