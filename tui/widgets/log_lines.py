"""The entries of the log in words."""

from __future__ import annotations

from vramtop.protocol.lesson.messages import Compared, Evaluated, WouldFit
from vramtop.protocol.messages import Answer, Failed, Hello, Note, OutOfMemory
from vramtop.tui.gpus.conclusions import Unavailable
from vramtop.tui.state.lesson.news import LessonNews, StepOutOfMemory
from vramtop.tui.state.news import LogEntry
from vramtop.tui.words import out_of_memory, units, wording
from vramtop.tui.worker import endings
from vramtop.tui.worker.link import Parted, WorkerGone, WorkerLine

from .headlines import headline
from .lesson_headlines import compared


def log_lines(entry: LogEntry) -> list[str]:
    """One line, or several."""
    match entry:
        case Unavailable():
            return [_unavailable(entry)]
        case Note() | WorkerLine():
            return [entry.text]
        case Answer():
            return [entry.error or ""]
        case Hello():
            begun = f"torch {entry.torch} on {entry.device.description}"
            return [begun, *filter(None, [wording.missing(entry.device)])]
        case Failed():
            return [entry.error]
        case Parted():
            return [entry.reason]
        case WorkerGone():
            return [endings.gone(entry)]
        case StepOutOfMemory():
            return _out_of_memory(entry.event, headline(entry).text)
        case OutOfMemory():
            return _out_of_memory(entry, headline(entry).text)
        case _:
            return [_of_lesson(entry)]


def _out_of_memory(event: OutOfMemory, text: str) -> list[str]:
    # Where no bytes are known, PyTorch's own message says more.
    first = [] if event.needed else [event.detail]
    return [*first, text, *filter(None, [out_of_memory.split_line(event)])]


def _unavailable(entry: Unavailable) -> str:
    """`GPU 0 instance 1: processes not available: No Permission`."""
    whose = "driver" if entry.gpu is None else f"GPU {entry.gpu}"
    whose += "" if entry.instance is None else f" instance {entry.instance}"
    if entry.field is not None:
        return f"{whose}: {entry.field.replace('_', ' ')} not available: {entry.reason}"
    return entry.reason if entry.gpu is None else f"{whose}: {entry.reason}"


def _of_lesson(entry: LessonNews | Evaluated | Compared | WouldFit) -> str:
    match entry:
        case Evaluated():
            return wording.evaluated(entry)
        case Compared():
            return compared(entry)
        case WouldFit():
            fits = out_of_memory.prediction(entry)
            batch = wording.batch(entry.settings)
            return f"of batch {batch}: {fits} in {units.size(entry.limit)}"
        case _:
            return headline(entry).text
