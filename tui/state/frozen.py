"""The GPUs as they are held on the screen while they go on. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from .gpu_history import HeldGpus
from .state import State


def held_or_not(state: State) -> State:
    """The state in which the GPUs are held as they are now, or no longer."""
    if state.held_gpus is not None:
        return replace(state, held_gpus=None)
    if state.gpus is None:
        return state
    return replace(state, held_gpus=HeldGpus(state.gpus, state.gpu_history))


def in_sight(state: State) -> State:
    """The state as the screen shows it."""
    held = state.held_gpus
    return replace(state, gpus=held.gpus, gpu_history=held.history) if held else state
