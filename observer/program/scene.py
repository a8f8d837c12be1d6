"""What a thread of the program does at this moment, by its own stack alone: no window need be open.

It reads variables of frames that call us, and refers to the program's objects only while it looks.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import FrameType
from typing import NamedTuple

import torch
from torch import nn
from torch.optim.optimizer import Optimizer

from ..ownership import tensors_in
from ..private import BACKWARD_CODES, NEW_STATE, current_node, in_backward, leaves_of, thread_of
from .frame_locals import local_variables
from .hooks import STEP, backward_calls, others_in_backward
from .lines import NOWHERE, Lines

Message = dict[str, object]

_CALL = nn.Module.__call__.__code__  # what every call of a module runs


class Scene(NamedTuple):
    """What a thread does.

    `phase` is that of the innermost call, backward pass or optimizer's step; empty outside of all.
    `module` is the innermost one that runs, `outermost` the one that was called first, with these
    `inputs`. `new_state` says that the optimizer makes the state of parameters that had none.
    `operator` is the one whose backward runs, `leaves` the parameters that it took, by `id`.
    """

    phase: str = ""
    module: nn.Module | None = None
    outermost: nn.Module | None = None
    inputs: tuple[Message, ...] = ()
    optimizer: Optimizer | None = None
    new_state: bool = False
    operator: str = ""
    leaves: tuple[int, ...] = ()


def scene() -> Scene:
    """What this thread does."""
    seen = _seen_in_backward() if in_backward() else Scene()
    new_state = False
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if code is _CALL:
            seen = _within_call(seen, dict(local_variables(frame)))
        elif code in BACKWARD_CODES:
            return seen._replace(phase=seen.phase or "backward")
        elif code is STEP:
            if seen.phase:
                return seen  # the optimizer has called for a forward or a backward pass
            optimizer = _first(dict(local_variables(frame)).get("args"))
            return Scene("optimizer", optimizer=optimizer, new_state=new_state)
        elif code.co_name == NEW_STATE:
            new_state = True
        frame = frame.f_back
    return seen


def _first(arguments: object) -> Optimizer | None:
    """The optimizer that steps: the first argument of its step."""
    first = arguments[0] if isinstance(arguments, tuple) and arguments else None
    return first if isinstance(first, Optimizer) else None


def _seen_in_backward() -> Scene:
    node = current_node()
    if node is None:
        return Scene("backward")
    leaves = tuple(id(leaf) for leaf in leaves_of(node))
    return Scene("backward", operator=node.name(), leaves=leaves)


def _within_call(seen: Scene, variables: Mapping[str, object]) -> Scene:
    """The same, seen from within one more call of a module."""
    module = variables.get("self")
    if not isinstance(module, nn.Module):
        return seen
    given = (variables.get("args"), variables.get("kwargs"))
    return seen._replace(
        phase=seen.phase or "forward",
        module=seen.module or module,
        outermost=module,
        inputs=tuple(
            {"dtype": str(each.dtype).removeprefix("torch."), "shape": list(each.shape)}
            for each in tensors_in(given)
        ),
    )


def line_of_program(lines: Lines) -> int:
    """The number of the line that this thread runs.

    Backward passes run in threads of PyTorch's own. There it is the line that has called for one,
    unless several run.
    """
    line = lines.here()
    if line == NOWHERE and in_backward():
        calls = backward_calls()
        if len(calls) == 1:
            line = lines.of_frame(calls[0])
    return line


def gradients_are_still(device: torch.device) -> bool:
    """Whether no other thread may write gradients of this device's parameters now.

    To read one meanwhile would end the process. A device has one thread for all backward passes;
    in it, nobody else writes.
    """
    if (node := current_node()) is not None:
        return thread_of(node) == device
    return not others_in_backward()
