"""What the log says of each of its entries."""

from __future__ import annotations

from vramtop.protocol.lesson.messages import Compared, Evaluated, WouldFit
from vramtop.protocol.messages import Answer, Failed, Hello, Note, OutOfMemory
from vramtop.tui.state.lesson.news import LessonNews, StepOutOfMemory
from vramtop.tui.state.news import Entry
from vramtop.tui.words import out_of_memory, units, wording
from vramtop.tui.worker import endings
from vramtop.tui.worker.link import WorkerGone, WorkerLine

from .headlines import headline
from .lesson_headlines import compared


def log_lines(entry: Entry) -> list[str]:
    """One line, or several."""
    match entry:
        case str():
            return [entry]
        case Note() | WorkerLine():
            return [entry.text]
        case Answer():
            return [entry.error or ""]
        case Hello():
            begun = f"torch {entry.torch} on {entry.device.description}"
            return [begun, *filter(None, [wording.missing(entry.device)])]
        case Failed():
            return [entry.error]
        case WorkerGone():
            return [endings.gone(entry)]
        case StepOutOfMemory():
            return _out_of_memory(entry.event, headline(entry).text)
        case OutOfMemory():
            return _out_of_memory(entry, headline(entry).text)
        case _:
            return [_of_lesson(entry)]


def _out_of_memory(event: OutOfMemory, text: str) -> list[str]:
    # Where there is nothing in bytes, PyTorch's own account says more.
    first = [] if event.needed else [event.detail]
    return [*first, text, *filter(None, [out_of_memory.held(event)])]


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
