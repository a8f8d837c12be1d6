"""Whether what a device's allocator has given out rises from step to step, by its levels alone.

Levels are cheap, so there are many more of them than watched steps.
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from typing import NamedTuple

from vramtop.protocol.observed.pools import Level

# That so many numbers without a trend rise one after the other comes once in 479 million times.
_RISING = 12
_TOGETHER = 4  # levels that make one of the next coarser scale


class Rise(NamedTuple):
    """The first and the last of levels that rise."""

    first: Level
    last: Level

    @property
    def steps(self) -> int:
        """From the first to the last."""
        return self.last.step - self.first.step

    @property
    def bytes_a_step(self) -> float:
        """By how many bytes they rise in a step, on the average."""
        return (self.last.bytes - self.first.bytes) / self.steps


class Levels:
    """The latest levels of a device, on scales each of which is four times coarser.

    A level of a coarser scale is the least of those that it is made of. So where steps differ, a
    slow rise shows on one of them.
    """

    def __init__(self) -> None:
        self._scales: list[deque[Level]] = []
        self._parts: list[list[Level]] = []

    def add(self, level: Level) -> None:
        """Take in the next level."""
        if self._scales and level.step <= self._scales[0][-1].step:
            self._scales, self._parts = [], []  # the program's steps are counted anew
        self._add(level, 0)

    def _add(self, level: Level, scale: int) -> None:
        if scale == len(self._scales):
            self._scales.append(deque(maxlen=_RISING))
            self._parts.append([])
        self._scales[scale].append(level)
        parts = self._parts[scale]
        parts.append(level)
        if len(parts) == _TOGETHER:
            least = min(parts, key=lambda each: each.bytes)
            parts.clear()
            self._add(least, scale + 1)

    @property
    def rise(self) -> Rise | None:
        """The longest time over which they rise; None where they do not, or have fallen since.

        They rise where each is higher than the one before it.
        """
        for scale in reversed(self._scales):
            rises = all(one.bytes < following.bytes for one, following in pairwise(scale))
            if rises and len(scale) == _RISING and self._scales[0][-1].bytes >= scale[-1].bytes:
                return Rise(scale[0], scale[-1])
        return None
