"""What happened last, and what the log tells, as facts. What is said of them is the widgets'."""

from __future__ import annotations

from typing import TypeAlias, Union

import msgspec
from vramtop.protocol.lesson.messages import Compared, Evaluated, WouldFit
from vramtop.protocol.lesson.shelf import Kept
from vramtop.protocol.messages import Answer, Ended, Failed, Hello, Note, OutOfMemory
from vramtop.tui.worker.link import WorkerGone, WorkerLine

from .lesson.news import LessonNews, StepOutOfMemory

_End: TypeAlias = Union[Failed, WorkerGone]


class Successor(msgspec.Struct, frozen=True):
    """Another worker, in the place of one that has ended.

    It goes on from the snapshot `kept`, or from the beginning where there is none; `lost` counts
    the steps from that to the last one seen, None where none was. It is only offered, and not
    `started`, while the `end` of the one before is news too.
    """

    kept: Kept | None
    lost: int | None
    started: bool
    end: _End | None = None


News: TypeAlias = Union[_End, Ended, OutOfMemory, Successor, LessonNews]

# What a line of the log, or several, are made from; text is what somebody else has worded.
Entry: TypeAlias = Union[
    str,
    Note,
    Answer,
    Hello,
    WorkerLine,
    Failed,
    WorkerGone,
    OutOfMemory,
    LessonNews,
    Evaluated,
    Compared,
    WouldFit,
]


def is_trouble(news: News | None) -> bool:
    """Whether it is what one should see first, and what gives way to no ordinary news."""
    if isinstance(news, Successor):
        return not news.started
    return isinstance(news, (Failed, WorkerGone, OutOfMemory, StepOutOfMemory))
