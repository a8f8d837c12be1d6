"""Whether a training learns its images by heart, by the losses on both. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from vramtop.protocol.lesson.messages import Evaluated
from vramtop.tui.words import units

from .history import Point

_ROSE = 1.1  # times the least test loss: more than it goes up and down
_STEPS = 20  # the latest of those that were sampled: a single one's loss is luck


def told(latest: Evaluated, least: Evaluated, points: Sequence[Point]) -> tuple[str, ...]:
    """That it overfits, in fewer and fewer words; nothing where it does not.

    It does where the test loss has risen above the `least` of an earlier epoch, while the loss on
    the training images has sunk below that.
    """
    losses = [point.loss for point in points[-_STEPS:] if point.loss is not None]
    if latest.loss <= _ROSE * least.loss or not losses or fmean(losses) >= least.loss:
        return ()
    now, was = units.loss(latest.loss), units.loss(least.loss)
    return (
        f"overfits: test loss {now}, was {was} at epoch {least.epoch:,}",
        f"overfits: test loss {now}, was {was}",
        "overfits",
    )
