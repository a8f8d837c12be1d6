"""How each message changes the state."""

from __future__ import annotations

from msgspec.structs import replace
from vramtop.tui.worker.link import Received

from . import program
from .categories import category_facts
from .lesson import folding
from .state import State


def fold(state: State, message: Received) -> State:
    """The state after this message."""
    new = program.fold(state, message) if state.lesson is None else folding.fold(state, message)
    if new.measured is state.measured and new.program is state.program:
        return new
    if new.program is None:
        return replace(new, categories=())
    notes = new.modules.notes if new.modules else {}
    return replace(new, categories=category_facts(new.listed, new.program, new.measured, notes))
