"""The hooks in PyTorch by which the observer sees what the program does.

Those of optimizers stay while somebody watches. Those of modules and of autograd cost microseconds
a call, so they stay only while a window is open. None changes what it is handed.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Protocol, TypeAlias, cast

import torch
from torch import nn
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from torch.optim.optimizer import (
    Optimizer,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)
from torch.utils.hooks import RemovableHandle

from ..private import BACKWARD_ENGINE, BACKWARD_OUTPUTS, MODULE_CALL

# The code in which an optimizer goes through its hooks; they must not change meanwhile.
_STEP = Optimizer.profile_hook_step(lambda _: None).__code__


_Function: TypeAlias = Callable[..., object]


class Witness(Protocol):
    """Is called by the hooks, in the program's threads."""

    def call(self, module: nn.Module, args: tuple[object, ...]) -> None:
        """A module is called."""

    def call_end(self, module: nn.Module, kwargs: Mapping[str, object]) -> None:
        """A module's call has ended, or failed."""

    def backward_outputs(self) -> None:
        """A backward pass is about to make the gradients of its outputs."""

    def backward(self) -> None:
        """A backward pass begins."""

    def backward_end(self) -> None:
        """A backward pass has ended, or failed."""

    def optimizer(self, optimizer: Optimizer) -> None:
        """An optimizer's step begins."""

    def optimizer_end(self, optimizer: Optimizer) -> None:
        """An optimizer's step has ended."""


class Hooks:
    """Puts the hooks in, and takes them out. Both can be done in any thread, and twice."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        self._of_optimizers: list[RemovableHandle] = []
        self._of_modules: list[RemovableHandle] = []
        self._replaced: dict[str, tuple[_Function, _Function]] = {}

    def watch_optimizers(self) -> None:
        """See optimizers' steps from now on."""
        if not self._of_optimizers:
            witness = self._witness

            def before(optimizer: Optimizer, *_: object) -> None:
                witness.optimizer(optimizer)

            def after(optimizer: Optimizer, *_: object) -> None:
                witness.optimizer_end(optimizer)

            self._of_optimizers = [
                register_optimizer_step_pre_hook(before),
                register_optimizer_step_post_hook(after),
            ]

    def watch_modules(self) -> None:
        """See modules' calls and backward passes from now on."""
        if self._of_modules:
            return
        witness = self._witness

        # `torch.compile` must neither compile these nor compile again because of them.
        def before(module: nn.Module, args: tuple[object, ...]) -> None:
            if not torch.compiler.is_compiling():
                witness.call(module, args)

        def after(module: nn.Module, _: object, *rest: object) -> None:
            if not torch.compiler.is_compiling():
                # Where the call has failed, PyTorch hands over no keyword arguments.
                kwargs = rest[0] if len(rest) > 1 else {}
                witness.call_end(module, cast("Mapping[str, object]", kwargs))

        self._of_modules = [
            register_module_forward_pre_hook(before),
            register_module_forward_hook(after, with_kwargs=True, always_call=True),
        ]
        outputs = getattr(torch.autograd, BACKWARD_OUTPUTS)
        engine = getattr(torch.autograd, BACKWARD_ENGINE)

        @functools.wraps(outputs)
        def backward_outputs(*args: object, **kwargs: object) -> object:
            witness.backward_outputs()
            return outputs(*args, **kwargs)

        @functools.wraps(engine)
        def backward(*args: object, **kwargs: object) -> object:
            witness.backward()
            try:
                return engine(*args, **kwargs)
            finally:
                witness.backward_end()

        self._replaced = {
            BACKWARD_OUTPUTS: (outputs, backward_outputs),
            BACKWARD_ENGINE: (engine, backward),
        }
        for name, (_, ours) in self._replaced.items():
            setattr(torch.autograd, name, ours)

    def leave_modules(self) -> None:
        """See them no more."""
        for handle in self._of_modules:
            handle.remove()
        self._of_modules = []
        replaced, self._replaced = self._replaced, {}
        for name, (theirs, ours) in replaced.items():
            if getattr(torch.autograd, name) is ours:
                setattr(torch.autograd, name, theirs)

    def leave_optimizers(self) -> None:
        """See optimizers' steps no more. Where one goes through its hooks right now, not yet."""
        if not going_through_hooks():
            for handle in self._of_optimizers:
                handle.remove()
            self._of_optimizers = []

    @property
    def of_optimizers(self) -> bool:
        """Whether hooks of optimizers are in."""
        return bool(self._of_optimizers)


def going_through_hooks() -> bool:
    """Whether an optimizer of any thread goes through its hooks; they must not change meanwhile."""
    return any(map(_goes_through_hooks, sys._current_frames().values()))


def within_module() -> bool:
    """Whether this thread is within the call of a module, that of the hook's own module apart."""
    frame: FrameType | None = sys._getframe(1)
    calls = 0
    while frame is not None:
        calls += frame.f_code is MODULE_CALL
        frame = frame.f_back
    return calls > 1


def _goes_through_hooks(frame: FrameType | None) -> bool:
    """Whether the stack has an optimizer's step that runs anything but the step itself."""
    inner: FrameType | None = None
    while frame is not None:
        if frame.f_code is _STEP:
            step = getattr(frame.f_locals.get("func"), "__code__", None)
            if inner is None or inner.f_code is not step:
                return True
        inner, frame = frame, frame.f_back
    return False
