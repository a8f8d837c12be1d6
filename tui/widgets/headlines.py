"""The news in words: one line, and the same in fewer and fewer words."""

from __future__ import annotations

import msgspec
from vramtop.protocol.messages import Ended, Failed, OutOfMemory
from vramtop.tui.state.lesson.news import StepOutOfMemory
from vramtop.tui.state.news import News, Successor, is_trouble
from vramtop.tui.words import out_of_memory
from vramtop.tui.worker import endings
from vramtop.tui.worker.link import AwaitsInput, Entering, Parted, WorkerGone

from .lesson_headlines import lesson_headlines

SUCCESSOR_KEY = "R"


class Headline(msgspec.Struct, frozen=True):
    """A line of news; `trouble` marks what is wrong.

    `shorter` says the same in fewer and fewer words.
    """

    text: str
    trouble: bool = False
    shorter: tuple[str, ...] = ()


def headline(news: News) -> Headline:
    """The news as a line."""
    text, *shorter = _texts(news)
    return Headline(text, is_trouble(news), tuple(shorter))


def _texts(news: News) -> tuple[str, ...]:
    match news:
        case Failed():
            return (f"the worker stopped: {news.error}",)
        case WorkerGone():
            return _gone(news)
        case Successor():
            return _successor(news)
        case Entering():
            brief = f"looking into process {news.pid}…"
            return (f"{brief} {news.command}", brief) if news.command else (brief,)
        case AwaitsInput():
            brief = "the program waits for input: i types a line to it"
            return (f"{brief}; run --headless gives it this terminal", brief)
        case Parted():
            return (news.reason,)
        case StepOutOfMemory():
            return out_of_memory.headlines(news.event, news.settings, news.would_fit)
        case OutOfMemory():
            return out_of_memory.headlines_of_any(news)
        case Ended():
            images = getattr(news, "images", None)
            done = f"done after {news.steps:,} steps"
            return (done if images is None else f"{done}, {images:,} images",)
        case _:
            return lesson_headlines(news)


def _gone(gone: WorkerGone) -> tuple[str, ...]:
    """How the worker ended, with the last line that it printed."""
    last = next((line for line in reversed(gone.lines) if line.strip()), None)
    forms = (endings.gone(gone), *endings.gone_in_short(gone))
    return (*(f"{form}: {last}" for form in forms if last), *forms)


def _successor(news: Successor) -> tuple[str, ...]:
    if news.started or news.end is None:
        return (f"another worker starts, {_start(news)}",)
    offer = f"{SUCCESSOR_KEY} starts another"
    ends = _texts(news.end)
    return (f"{offer}, {_start(news)}; {ends[0]}", *(f"{offer}; {end}" for end in ends))


def _start(news: Successor) -> str:
    """`from the snapshot at step 1,200, 35 steps before the last one seen`."""
    if news.kept is None:
        return "from the beginning: there is no snapshot"
    snapshot = f"from the snapshot at step {news.kept.steps:,}"
    if news.lost is None:
        return snapshot
    return f"{snapshot}, {news.lost:,} step{'s' if news.lost != 1 else ''} before the last one seen"
