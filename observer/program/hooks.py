"""The hooks in PyTorch by which the observer sees what the program does.

Those of optimizers stay while somebody watches. Those of modules and of autograd cost microseconds
a call, so they stay only while a window is open. None changes what it is handed.

`torch.compile` compiles hooks with what it compiles, and compiles again when they have gone. So all
are taken out before it begins to compile, and only what runs outside compiled code has any.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Mapping
from threading import get_ident
from types import FrameType
from typing import Protocol, TypeAlias

import torch
from torch import nn
from torch.compiler import is_dynamo_compiling
from torch.nn.modules import module as modules
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

from ..private import (
    ANY_GLOBAL_HOOK,
    BACKWARD_CODES,
    BACKWARD_ENGINE,
    BACKWARD_OUTPUTS,
    MODULE_CALL,
    forget_hook,
    global_hooks,
    is_traced,
    was_compiled,
)
from .called import is_one_tensor
from .compiled import CompiledCall, CompileStart

# The code in which an optimizer goes through its hooks; they must not change meanwhile.
STEP = Optimizer.profile_hook_step(lambda _: None).__code__
_MODULE_CALLS = MODULE_CALL, CompiledCall.__call__.__code__


_Function: TypeAlias = Callable[..., object]


class Witness(Protocol):
    """Is called by the hooks, in the program's threads."""

    def call(self, module: nn.Module, args: tuple[object, ...]) -> None:
        """A module is called."""

    def call_end(
        self, module: nn.Module, kwargs: Mapping[str, object], *, failed: bool, single: bool
    ) -> None:
        """A module's call has ended, or failed; `single`: it has returned one tensor."""

    def backward_outputs(self) -> None:
        """A backward pass is about to make the gradients of its outputs."""

    def backward(self) -> None:
        """A backward pass begins."""

    def backward_end(self, *, failed: bool) -> None:
        """A backward pass has ended, or failed."""

    def optimizer(self, optimizer: Optimizer) -> None:
        """An optimizer's step begins."""

    def optimizer_end(self, optimizer: Optimizer) -> None:
        """An optimizer's step has ended."""

    def compiling(self) -> None:
        """PyTorch begins to compile."""


class Hooks:
    """Puts the hooks in, and takes them out. Both can be done in any thread, and twice."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        self._of_optimizers: list[RemovableHandle] = []
        self._of_modules: list[RemovableHandle | CompiledCall] = []
        self._replaced: dict[tuple[object, str], tuple[_Function, _Function]] = {}
        self._compile_start = CompileStart(self._compiling)

    # ---- optimizers -------------------------------------------------------------------------

    def watch_optimizers(self) -> None:
        """See optimizers' steps from now on.

        Where one goes through its hooks right now, or where steps are compiled, it does nothing.
        """
        if not self.lack_optimizers or going_through_hooks():
            return
        witness = self._witness

        # Dynamo takes the first condition for a constant, and so guards nothing of what follows.
        def before(optimizer: Optimizer, *_: object) -> None:
            if not is_dynamo_compiling() and self._replaced:
                witness.optimizer(optimizer)

        def after(optimizer: Optimizer, *_: object) -> None:
            if not is_dynamo_compiling():
                witness.optimizer_end(optimizer)

        self._of_optimizers = [
            register_optimizer_step_pre_hook(before),
            register_optimizer_step_post_hook(after),
        ]

    def leave_optimizers(self) -> None:
        """Take the hooks of optimizers out, unless one of them goes through its hooks right now."""
        if not going_through_hooks():
            for handle in self._of_optimizers:
                handle.remove()
            self._of_optimizers = []
            self._compile_start.remove()

    @property
    def lack_optimizers(self) -> bool:
        """Whether optimizers' steps are not seen yet, but could be."""
        return not self._of_optimizers and self.sees_optimizers

    @property
    def sees_optimizers(self) -> bool:
        """Whether steps can be seen: hooks would let compiled ones be compiled again."""
        return not was_compiled(STEP)

    @property
    def any(self) -> bool:
        """Whether any hooks are in."""
        return bool(self._of_optimizers or self._of_modules or self._replaced)

    # ---- modules and backward passes --------------------------------------------------------

    def watch_modules(self, only: Iterable[nn.Module] | None = None) -> None:
        """See modules' calls and backward passes from now on: those of all modules, or of these."""
        if self._of_modules or self._replaced:
            return
        self._compile_start.hear()
        self._watch_backward()
        witness = self._witness

        def before(module: nn.Module, args: tuple[object, ...]) -> None:
            if not is_traced():
                witness.call(module, args)

        def after(module: nn.Module, _: object, *rest: object) -> None:
            if not is_traced():
                *named, result = rest  # of some calls that failed, PyTorch tells no named arguments
                kwargs = named[0] if named and isinstance(named[0], dict) else {}
                failed = result is None and sys.exc_info()[0] is not None
                witness.call_end(module, kwargs, failed=failed, single=is_one_tensor(result))

        if only is None:
            self._of_modules = [
                register_module_forward_pre_hook(before),
                register_module_forward_hook(after, with_kwargs=True, always_call=True),
            ]
            # The program is not to be warned of these.
            self._replace(modules, ANY_GLOBAL_HOOK, lambda: global_hooks() > len(self._of_modules))
            return
        for module in only:
            if CompiledCall.has(module):
                self._of_modules.append(CompiledCall(module, before, after))
            else:
                self._of_modules += [
                    module.register_forward_pre_hook(before),
                    module.register_forward_hook(after, with_kwargs=True, always_call=True),
                ]

    def leave_modules(self) -> None:
        """Take the hooks of modules out."""
        while self._of_modules:
            hook = self._of_modules.pop()
            if isinstance(hook, CompiledCall):
                hook.remove()
            else:
                forget_hook(hook)
        while self._replaced:
            (owner, name), (theirs, ours) = self._replaced.popitem()
            if getattr(owner, name) is ours:
                setattr(owner, name, theirs)
        self._compile_start.ignore()

    def _watch_backward(self) -> None:
        witness = self._witness
        outputs = getattr(torch.autograd, BACKWARD_OUTPUTS)
        engine = getattr(torch.autograd, BACKWARD_ENGINE)

        @functools.wraps(outputs)
        def backward_outputs(*args: object, **kwargs: object) -> object:
            witness.backward_outputs()
            return outputs(*args, **kwargs)

        @functools.wraps(engine)
        def backward(*args: object, **kwargs: object) -> object:
            failed = True
            try:
                witness.backward()
                result = engine(*args, **kwargs)
                failed = False
                return result
            finally:
                witness.backward_end(failed=failed)

        self._replace(torch.autograd, BACKWARD_OUTPUTS, backward_outputs)
        self._replace(torch.autograd, BACKWARD_ENGINE, backward)

    def _replace(self, owner: object, name: str, ours: _Function) -> None:
        self._replaced[owner, name] = getattr(owner, name), ours
        setattr(owner, name, ours)

    def _compiling(self) -> None:
        self.leave_modules()
        self._witness.compiling()


def going_through_hooks() -> bool:
    """Whether an optimizer of any thread goes through its hooks; they must not change meanwhile."""
    return any(map(_goes_through_hooks, sys._current_frames().values()))


def within_module(own: int = 0) -> bool:
    """Whether this thread is within the call of a module; the `own` innermost do not count."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code in _MODULE_CALLS:
            if own == 0:
                return True
            own -= 1
        frame = frame.f_back
    return False


def within_step() -> bool:
    """Whether this thread is within the step of an optimizer."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not STEP:
        frame = frame.f_back
    return frame is not None


def others_in_backward() -> bool:
    """Whether another thread runs a backward pass."""
    return bool(backward_calls())


def backward_calls() -> list[FrameType]:
    """The frames in which other threads have called for a backward pass."""
    frames = sys._current_frames()
    del frames[get_ident()]  # a frame that refers to itself would stay, and all that called it
    return [call for call in map(_backward_call, frames.values()) if call is not None]


def _backward_call(frame: FrameType | None) -> FrameType | None:
    while frame is not None and frame.f_code not in BACKWARD_CODES:
        frame = frame.f_back
    return frame


def _goes_through_hooks(frame: FrameType | None) -> bool:
    """Whether the stack has an optimizer's step that runs anything but the step itself."""
    inner: FrameType | None = None
    while frame is not None:
        if frame.f_code is STEP:
            step = getattr(frame.f_locals.get("func"), "__code__", None)
            if inner is None or inner.f_code is not step:
                return True
        inner, frame = frame, frame.f_back
    return False
