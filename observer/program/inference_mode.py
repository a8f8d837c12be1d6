"""What happens around the begin and the end of `torch.inference_mode`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch

_METHODS = ("__enter__", "__exit__")


class InferenceMode:
    """Calls `before` and `after` around each begin and each end, in the program's thread.

    An end sets PyTorch's modes to what they were at the begin. So a dispatch mode has to be left
    before either, and entered again after it.
    """

    def __init__(self, before: Callable[[], None], after: Callable[[], None]) -> None:
        self._before, self._after = before, after
        self._replaced: dict[str, tuple[Callable[..., object], Callable[..., object]]] = {}

    def watch(self) -> None:
        """Call them from now on."""
        for name in _METHODS:
            method = getattr(torch.inference_mode, name)
            ours = self._around(method)
            self._replaced[name] = method, ours
            setattr(torch.inference_mode, name, ours)

    def leave(self) -> None:
        """Stop calling them; PyTorch's own methods are put back."""
        while self._replaced:
            name, (method, ours) = self._replaced.popitem()
            if getattr(torch.inference_mode, name) is ours:
                setattr(torch.inference_mode, name, method)

    def _around(self, method: Callable[..., object]) -> Callable[..., object]:
        def around(mode: torch.inference_mode, *args: Any) -> object:  # noqa: ANN401
            with suppress(Exception):
                self._before()
            try:
                return method(mode, *args)
            finally:
                with suppress(Exception):
                    self._after()

        return around
