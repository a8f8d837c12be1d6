"""The answer to a key, and the guards that every control needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, Literal, ParamSpec

import msgspec
from vramtop.tui.state.state import State
from vramtop.tui.worker.commands import Commands


class Reply(msgspec.Struct, frozen=True):
    """One line that answers a key."""

    text: str
    severity: Literal["information", "warning", "error"] = "information"


_Arguments = ParamSpec("_Arguments")
# A control gets the state, the commands to the worker, and its own arguments. It sends a command.
# It returns the reply to the key, or None where the worker's messages are the reply.
Control = Callable[Concatenate[State, Commands, _Arguments], Reply | None]
GuardedControl = Callable[Concatenate[State, Commands | None, _Arguments], Reply | None]


def needs_training(control: Control[_Arguments]) -> GuardedControl[_Arguments]:
    """The control where the lesson's training runs; elsewhere the line that says why not."""

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
    if (refusal := not_lesson(state)) is not None:
        return refusal
    if state.program is not None and not state.over:
        return None
    if state.life == "starting":
        return Reply("the worker is still starting", "warning")
    return Reply("there is no training any more", "warning")


def not_lesson(state: State) -> Reply | None:
    """Why a key that is only for the lesson does nothing; None where it does."""
    if state.lesson is not None:
        return None
    return Reply("this key is only for vramtop's own training")
