"""Sees what runs outside compiled code, and when PyTorch begins to compile."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import suppress

from torch import nn

from ..private import COMPILED_CALL, compile_start_callbacks

Before = Callable[[nn.Module, tuple[object, ...]], None]
After = Callable[..., None]


class CompiledCall:
    """Sees the calls of a module that was compiled in place, as hooks of its own would.

    Hooks would be a part of what is compiled.
    """

    def __init__(self, module: nn.Module, before: Before, after: After) -> None:
        self._module = weakref.ref(module)
        self._before, self._after = before, after
        self._compiled = module.__dict__[COMPILED_CALL]
        module.__dict__[COMPILED_CALL] = self

    def __call__(self, *args: object, **kwargs: object) -> object:
        """Call the module as it was compiled."""
        module = self._module()
        result = None
        try:
            if module is not None:
                self._before(module, args)
            result = self._compiled(*args, **kwargs)
            return result
        finally:
            if module is not None:
                self._after(module, args, kwargs, result)

    @staticmethod
    def has(module: nn.Module) -> bool:
        """Whether this module was compiled in place."""
        return module.__dict__.get(COMPILED_CALL) is not None

    def remove(self) -> None:
        """Put back the call as it was compiled."""
        module = self._module()
        if module is not None and module.__dict__.get(COMPILED_CALL) is self:
            module.__dict__[COMPILED_CALL] = self._compiled


class CompileStart:
    """Calls `noted` whenever PyTorch begins to compile, before it looks at the program."""

    def __init__(self, noted: Callable[[], None]) -> None:
        self._noted = noted
        self._hears = False

    def hear(self) -> None:
        """Call `noted` from now on."""
        self._hears = True
        callbacks = compile_start_callbacks()
        if callbacks is not None and self._start not in callbacks:
            callbacks.append(self._start)

    def ignore(self) -> None:
        """Stop calling `noted`; the callback stays in PyTorch's list until `remove`."""
        self._hears = False

    def remove(self) -> None:
        """Take the callback out. PyTorch must not be calling it."""
        with suppress(ValueError):
            (compile_start_callbacks() or []).remove(self._start)

    def _start(self, *_: object) -> None:
        if self._hears:
            self._noted()
