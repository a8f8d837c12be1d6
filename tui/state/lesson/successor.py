"""Another worker after one has ended, and the snapshot that it would go on from."""

from __future__ import annotations

from msgspec.structs import replace
from vramtop.protocol.lesson.shelf import Kept
from vramtop.protocol.messages import Failed
from vramtop.tui.state.news import Successor
from vramtop.tui.state.state import State
from vramtop.tui.worker.link import WorkerGone

from .facts import known


def offered(state: State, kept: Kept | None) -> State:
    """The state that offers another worker; the reason for the end stays in the news."""
    if isinstance(state.news, (Failed, WorkerGone)):
        return replace(state, news=Successor(kept, _lost(state, kept), False, state.news))
    return state


def started(state: State, kept: Kept | None) -> State:
    """The state while another worker starts."""
    lesson = replace(known(state.lesson), searching=False)
    news = Successor(kept, _lost(state, kept), started=True)
    return replace(state, life="starting", lesson=lesson, news=news)


def _lost(state: State, kept: Kept | None) -> int | None:
    """The steps between the snapshot and the last one seen."""
    if kept is None or state.sample is None:
        return None
    return max(0, state.sample.step - kept.steps)
