"""What is known only of the lesson's training, not of other programs."""

from __future__ import annotations

import msgspec
from vramtop.protocol.lesson.messages import (
    Comparing,
    Configured,
    Evaluated,
    Found,
    Noise,
    Picture,
    Predicted,
)
from vramtop.protocol.lesson.settings import Settings

from .news import StepOutOfMemory
from .visits import Visits


class Before(msgspec.Struct, frozen=True):
    """The settings that were measured last, and their peak in bytes."""

    settings: Settings
    peak: int


class Lesson(msgspec.Struct, frozen=True):
    """The lesson's settings, and what was measured with them.

    - `before` is what a change of settings is compared with, once the new ones are measured.
    - `recovering` tells that settings are restored after an out of memory, `stuck` that none can
      be restored; `out_of_memory` is the latest one of a step.
    - `held_rows` is the number of images in the step that was held last.
    - `first_evaluated` is the first evaluation with the settings in force, `least_evaluated` the
      one with the least test loss of this training.
    - `noise_known` is the latest noise from which a scale could be estimated.
    - `predicted` is the prediction for twice the batch, `found` the result of the latest search.
    - `comparing` is the progress of a fair comparison; None while none runs.
    """

    settings: Settings
    configured: Configured | None = None
    visited: Visits = ()
    before: Before | None = None
    recovering: bool = False
    stuck: bool = False
    out_of_memory: StepOutOfMemory | None = None
    held_rows: int | None = None
    evaluated: Evaluated | None = None
    first_evaluated: Evaluated | None = None
    least_evaluated: Evaluated | None = None
    noise: Noise | None = None
    noise_known: Noise | None = None
    picture: Picture | None = None
    predicted: Predicted | None = None
    searching: bool = False
    found: Found | None = None
    comparing: Comparing | None = None


def known(lesson: Lesson | None) -> Lesson:
    """The lesson, where the program is known to be the lesson's."""
    assert lesson is not None
    return lesson
