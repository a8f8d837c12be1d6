"""How keys, the mouse and the clock move the cursor through the recorded step. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from . import moments
from .state import State


def put(state: State, place: int) -> State:
    """The state with the cursor at that place, or at the nearest one in the curve."""
    if state.measured is None:
        return state
    last = len(state.measured.anatomy.curve) - 1
    return replace(state, cursor=max(0, min(place, last)), walk=None)


def moved(state: State, by: int) -> State:
    """The state with the cursor `by` moments further on.

    Without a cursor it starts from the boundary where the step is held, or from the peak.
    """
    if state.measured is None:
        return state
    here = state.place
    return put(state, (moments.peak(state.measured.anatomy) if here is None else here) + by)


def taken_away(state: State) -> State:
    """The state without a cursor: the held boundary is shown, or the peak."""
    return replace(state, cursor=None, walk=None)


def walked(state: State, elapsed: float) -> State:
    """The state after `elapsed` seconds of the walk, which ends at the boundary."""
    if state.walk is None:
        return state
    place = state.walk.at(elapsed)
    if place == state.walk.last:
        return taken_away(state)
    return state if place == state.cursor else replace(state, cursor=place)
