"""News of the lesson, as facts."""

from __future__ import annotations

from typing import TypeAlias, Union

import msgspec
from vramtop.protocol.lesson.messages import (
    Comparing,
    LessonOutOfMemory,
    SearchEnded,
    Timed,
    Tried,
    Trying,
    WouldFit,
)
from vramtop.protocol.lesson.settings import Settings


class SettingsChanged(msgspec.Struct, frozen=True):
    """Other settings are in force; the peaks before and after, in bytes, once both are measured."""

    old: Settings
    new: Settings
    peaks: tuple[int, int] | None = None


class Restarted(msgspec.Struct, frozen=True):
    """The training begins again with fresh weights, the settings as they were."""


class StepOutOfMemory(msgspec.Struct, frozen=True):
    """A step of `settings` ran out of memory; `would_fit` is set once it is known."""

    event: LessonOutOfMemory
    settings: Settings
    would_fit: WouldFit | None = None


class ComparisonResult(msgspec.Struct, frozen=True):
    """A fair comparison has ended; it is `complete` unless it was called off.

    `best` is the batch size with the least test loss, and that loss; None where there is none.
    """

    complete: bool
    best: tuple[int, float] | None


LessonNews: TypeAlias = Union[
    SettingsChanged,
    Restarted,
    StepOutOfMemory,
    Trying,
    Tried,
    Timed,
    SearchEnded,
    Comparing,
    ComparisonResult,
]
