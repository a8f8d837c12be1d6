"""What happened last, and the entries of the log, as facts. The widgets put them into words."""

from __future__ import annotations

from typing import TypeAlias, Union

import msgspec
from vramtop.protocol.lesson.messages import Compared, Evaluated, WouldFit
from vramtop.protocol.lesson.shelf import Kept
from vramtop.protocol.messages import Answer, Ended, Failed, Hello, Note, OutOfMemory
from vramtop.tui.gpus.conclusions import Unavailable
from vramtop.tui.worker.link import AwaitsInput, Entering, Parted, WorkerGone, WorkerLine

from .lesson.news import LessonNews, StepOutOfMemory

_End: TypeAlias = Union[Failed, WorkerGone]


class Successor(msgspec.Struct, frozen=True):
    """Another worker, which takes the place of one that has ended.

    It goes on from the snapshot `kept`, or from the beginning where `kept` is None. `lost` counts
    the steps between the snapshot and the last step seen; None where no step was seen. Until it is
    `started` it is only offered, and `end` says how the worker before it ended.
    """

    kept: Kept | None
    lost: int | None
    started: bool
    end: _End | None = None


News: TypeAlias = Union[
    _End, Ended, OutOfMemory, Entering, AwaitsInput, Parted, Successor, LessonNews
]

# What one line of the log is made from, or several lines.
LogEntry: TypeAlias = Union[
    Note,
    Answer,
    Hello,
    WorkerLine,
    Failed,
    WorkerGone,
    OutOfMemory,
    Parted,
    Unavailable,
    LessonNews,
    Evaluated,
    Compared,
    WouldFit,
]


def is_trouble(news: News | None) -> bool:
    """Whether this news comes before other news, and is not replaced by ordinary news."""
    if isinstance(news, Successor):
        return not news.started
    if isinstance(news, Parted):
        return news.trouble
    return isinstance(news, (Failed, WorkerGone, OutOfMemory, StepOutOfMemory))
