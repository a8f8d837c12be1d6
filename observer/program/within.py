"""The tensors that a variable holds: in containers, objects of Python's library, and tracebacks."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from types import FrameType
from typing import Any, NamedTuple

from torch import Tensor, nn

from .frame_locals import local_variables
from .variables import of_library

PLAIN = (Tensor, nn.Parameter)
_CONTAINERS = (list, tuple, dict, set, frozenset, deque)
_LONGEST_KEY = 20
_MOST = 20_000  # objects that are looked at


class Within(NamedTuple):
    """A tensor within a variable, with its key in the outermost dictionary.

    `how` it is in there is the beginning of its name: "the traceback of ValueError in ", or empty.
    """

    key: str
    how: str
    tensor: Tensor


def traceback_of(error: BaseException) -> str:
    """How the name of what an error's traceback keeps begins."""
    return f"the traceback of {type(error).__name__} in "


def frames_of(error: BaseException) -> Iterator[FrameType]:
    """The frames that an error's traceback keeps, those of functions that run among them."""
    traceback = error.__traceback__
    while traceback is not None:
        yield traceback.tb_frame
        traceback = traceback.tb_next


def tensors_within(value: object, running: Collection[int]) -> Iterator[Within]:
    """The tensors that a variable's value holds; `running` are frames that go on, by `id`."""
    seen: set[int] = set()
    waiting: list[tuple[str, str, Any]] = [("", "", value)]
    while waiting and len(seen) < _MOST:
        key, how, each = waiting.pop()
        kind = type(each)
        if kind in PLAIN:
            yield Within(key, how, each)
        elif id(each) not in seen and not issubclass(kind, type):
            seen.add(id(each))
            if issubclass(kind, dict):
                outermost = each is value
                for name, held in _items(each):
                    waiting.append((_shown_key(name) if outermost else key, how, held))
            elif issubclass(kind, BaseException):
                waiting += [(key, traceback_of(each), held) for held in _kept_by(each, running)]
            elif issubclass(kind, _CONTAINERS) or of_library(kind):
                waiting += [(key, how, held) for held in gc.get_referents(each)]


def _items(names: dict[object, object]) -> Iterable[tuple[object, object]]:
    """What a dictionary has, unless that is all of a module."""
    return () if dict.__contains__(names, "__builtins__") else list(dict.items(names))


def _kept_by(error: BaseException, running: Collection[int]) -> Iterator[object]:
    for frame in frames_of(error):
        if id(frame) not in running:
            yield from (value for _, value in local_variables(frame))


def _shown_key(key: object) -> str:
    text = repr(key) if type(key) in (str, int) else "…"
    return f"[{text}]" if len(text) <= _LONGEST_KEY else "[…]"
