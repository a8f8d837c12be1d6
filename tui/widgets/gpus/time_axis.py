"""The time that a chart of a GPU spans. Pure."""

from __future__ import annotations

import msgspec

_SPANS = (60, 120, 300, 600, 1200, 1800, 3600)
_SHIFT = 900


class TimeAxis(msgspec.Struct, frozen=True):
    """From the second `start`, for `span` seconds."""

    start: int
    span: int

    @property
    def name(self) -> str:
        """How long it is: `5 min`."""
        return f"{self.span // 60} min" if self.span < _SPANS[-1] else "1 h"


def time_axis(began: int, now: int) -> TimeAxis:
    """The axis for what was sampled since `began`.

    It grows in steps, and then moves on in steps, so that a new sample seldom moves the old ones.
    """
    elapsed = now - began
    for span in _SPANS:
        if elapsed < span:
            return TimeAxis(began, span)
    longest = _SPANS[-1]
    steps = (elapsed - longest) // _SHIFT + 1
    return TimeAxis(began + steps * _SHIFT, longest)
