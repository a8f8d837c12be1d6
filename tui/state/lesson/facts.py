"""What is known of the lesson's training, beside what is known of any program."""

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
    """The lesson's settings, and what came of them.

    `before` is what a change is compared with, until it is measured; `recovering` tells that
    settings come back after an out of memory, `stuck` that there are none to come back to;
    `out_of_memory` is the latest one of a step. `held_rows` are the images of the step that was
    held last. `first_evaluated` is the first of the settings in force, from which on the losses of
    batch sizes are compared; `least_evaluated` has the least test loss of this training.
    `noise_known` is the latest noise that told a scale. `predicted` is what twice the batch would
    hold; `found` the outcome of the latest search for these settings. `comparing` is how far a fair
    comparison is, None while there is none.
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
    """The lesson, where it is certain that the program is the lesson's."""
    assert lesson is not None
    return lesson
