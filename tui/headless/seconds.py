"""A line a second instead of a screen: the step, the split of the latest peak, and the loss."""

from __future__ import annotations

import msgspec
from vramtop.protocol.lesson.messages import LessonMeasured, LessonSample
from vramtop.tui.words import units

_NAMES = ("params", "grads", "optimizer", "batch", "activ.", "temp.")
_WIDTHS = (9, 9, 10, 9, 9, 9)  # of the categories; 79 columns in all


def head() -> str:
    """The names of the columns."""
    names = "".join(f"{name:>{width}}" for name, width in zip(_NAMES, _WIDTHS, strict=True))
    return f"{'step':>8}{'peak':>8}{names}{'loss':>8}"


def line(sample: LessonSample, measured: LessonMeasured) -> str:
    """The bytes of each category at the peak, rounded; the table at the end has them exactly."""
    peak = measured.anatomy.peak
    parts = msgspec.structs.astuple(peak.split)
    columns = "".join(f"{units.short(part):>{w}}" for part, w in zip(parts, _WIDTHS, strict=True))
    return f"{sample.step:>8,}{units.short(peak.bytes):>8}{columns}{units.loss(sample.loss):>8}"
