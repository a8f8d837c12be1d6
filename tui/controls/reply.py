"""How a control answers a key, and what every control needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, Literal, ParamSpec

import msgspec
from vramtop.tui.state.state import State
from vramtop.tui.worker.commands import Commands


class Reply(msgspec.Struct, frozen=True):
    """One line that answers a key; a refusal is a warning where nothing can be asked for."""

    text: str
    severity: Literal["information", "warning", "error"] = "information"


_Arguments = ParamSpec("_Arguments")
# A control is a function of the state, of the way to the worker, and of what it is to do. It sends
# its command and returns the line that answers the key; None where the worker's own messages do.
Control = Callable[Concatenate[State, Commands, _Arguments], Reply | None]
GuardedControl = Callable[Concatenate[State, Commands | None, _Arguments], Reply | None]


def needs_training(control: Control[_Arguments]) -> GuardedControl[_Arguments]:
    """The control where a training runs; elsewhere the line that says why nothing is sent."""

    def guarded(
        state: State,
        commands: Commands | None,
        /,
        *arguments: _Arguments.args,
        **options: _Arguments.kwargs,
    ) -> Reply | None:
        refusal = no_training(state)
        if refusal is not None or commands is None:
            return refusal
        return control(state, commands, *arguments, **options)

    return guarded


def no_training(state: State) -> Reply | None:
    """Why the training cannot be asked for anything; None where it can."""
    if state.configured is not None and not state.over:
        return None
    starting = state.life == "starting"
    text = "the worker is still starting" if starting else "there is no training any more"
    return Reply(text, "warning")
