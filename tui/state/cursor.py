"""How keys, the mouse and the clock move the cursor through the recorded step. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from . import moments
from .state import State


def put(state: State, place: int) -> State:
    """The cursor at that place, or the nearest there is; nothing but a key takes it away again."""
    if state.measured is None:
        return state
    last = len(state.measured.anatomy.curve) - 1
    return replace(state, cursor=max(0, min(place, last)), walk=None)


def moved(state: State, by: int) -> State:
    """The cursor so many moments on, from the boundary or the peak where there was none yet."""
    if state.measured is None:
        return state
    here = state.place
    return put(state, (moments.peak(state.measured.anatomy) if here is None else here) + by)


def taken_away(state: State) -> State:
    """No cursor: what is shown is the boundary at which the step is held, or the peak."""
    return replace(state, cursor=None, walk=None)


def walked(state: State, elapsed: float) -> State:
    """The state when the walk has gone on for so many seconds; at its end it is at the boundary."""
    if state.walk is None:
        return state
    place = state.walk.at(elapsed)
    if place == state.walk.last:
        return taken_away(state)
    return state if place == state.cursor else replace(state, cursor=place)
