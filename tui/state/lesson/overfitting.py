"""Whether a training overfits, by its losses on training and test data. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from vramtop.protocol.lesson.messages import Evaluated
from vramtop.tui.state.history import Point

_ROSE = 1.1  # times the least test loss: more than its usual fluctuation
_STEPS = 20  # samples that are averaged, since the loss of one step varies


def overfits(latest: Evaluated, least: Evaluated, points: Sequence[Point]) -> bool:
    """Whether the test loss has risen above the `least` one while the training loss is below it."""
    losses = [point.loss for point in points[-_STEPS:] if point.loss is not None]
    return latest.loss > _ROSE * least.loss and bool(losses) and fmean(losses) < least.loss
