"""Whether a training learns its images by heart, by the losses on both. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from vramtop.protocol.lesson.messages import Evaluated
from vramtop.tui.state.history import Point

_ROSE = 1.1  # times the least test loss: more than it goes up and down
_STEPS = 20  # the latest of those that were sampled: a single one's loss is luck


def overfits(latest: Evaluated, least: Evaluated, points: Sequence[Point]) -> bool:
    """Whether the test loss has risen above the `least` of an earlier epoch without need.

    That is so where the loss on the training images has sunk below that.
    """
    losses = [point.loss for point in points[-_STEPS:] if point.loss is not None]
    return latest.loss > _ROSE * least.loss and bool(losses) and fmean(losses) < least.loss
