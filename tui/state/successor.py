"""After a worker's death: what another one would go on from, in words."""

from __future__ import annotations

from msgspec.structs import replace
from vramtop.protocol.lesson.shelf import Kept

from .state import News, State

KEY = "R"


def offered(state: State, kept: Kept | None) -> State:
    """With the offer beside the reason for the end."""
    news = state.news or News("the worker is gone", trouble=True)
    short = f"{KEY} starts another"
    if news.text.startswith(short):
        return state  # it said why it failed, and then ended
    told = f"{short}, {start(state, kept)}"
    shorter = (f"{short}; {news.text}", *(f"{short}; {form}" for form in news.shorter))
    return replace(state, news=News(f"{told}; {news.text}", trouble=True, shorter=shorter))


def started(state: State, kept: Kept | None) -> State:
    """While another worker starts."""
    told = f"another worker starts, {start(state, kept)}"
    return replace(state, life="starting", searching=False, news=News(told))


def start(state: State, kept: Kept | None) -> str:
    """From where: `from the snapshot at step 1,200, 35 steps before the last one seen`."""
    if kept is None:
        return "from the beginning: there is no snapshot"
    told = f"from the snapshot at step {kept.steps:,}"
    if state.sample is None:
        return told
    lost = max(0, state.sample.step - kept.steps)
    return f"{told}, {lost:,} step{'s' if lost != 1 else ''} before the last one seen"
