"""The controls by name, as the keys call them."""

from __future__ import annotations

from collections.abc import Callable

from vramtop.tui.state.state import State
from vramtop.tui.worker.commands import Commands

from . import runs, settings
from .reply import Reply, no_training

CONTROLS: dict[str, Callable[[State, Commands | None], Reply | None]] = {
    "double": settings.double,
    "halve": settings.halve,
    "more": settings.more,
    "less": settings.less,
    "recommended": settings.recommended,
    "next_optimizer": settings.next_optimizer,
    "next_dataset": settings.next_dataset,
    "find_largest": runs.find_largest,
    "restart": runs.restart,
    "pause": runs.pause,
    "advance": runs.advance,
    "slow": runs.slow,
    "give_back": runs.give_back,
}


def no_question(name: str, state: State) -> Reply | None:
    """Why a key's question is not asked now; None where it is."""
    lesson = state.lesson
    if name == "comparison" and lesson and (lesson.searching or lesson.comparing):
        return Reply("one search or comparison at a time; escape calls it off")
    return no_training(state)
