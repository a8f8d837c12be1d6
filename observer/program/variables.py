"""What the program calls an object: its variable, attribute, or place in a closure."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from types import (
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    MemberDescriptorType,
)
from typing import Any, NamedTuple, cast

from .frame_locals import is_ours, local_variables, running_frames
from .lines import is_library, rank_of, shown

_LOCAL, _CLOSURE, _ATTRIBUTE, _GLOBAL = range(4)


class Variable(NamedTuple):
    """A variable of the program, and what it refers to.

    Of several the highest `order` is the best: the program's own before those of packages, lasting
    ones before those of functions. One that is `vague` belongs to an object of Python's own library
    or to a function that has ended: who holds that object, or the frame, says more.
    """

    order: tuple[int, int]
    name: str
    where: str
    value: object
    vague: bool = False

    @property
    def of_closure(self) -> bool:
        """Whether a function that does not run has it."""
        return self.order[1] == _CLOSURE


class Variables:
    """Knows the local variables of all functions that run now, by the `id` of what they hold.

    `running` are these functions' frames, by `id`.
    """

    def __init__(self) -> None:
        self.running: set[int] = set()
        self._locals: dict[int, Variable] = {}
        for frame in running_frames():
            self.running.add(id(frame))
            for variable in _of_frame(frame, _LOCAL):
                known = self._locals.get(id(variable.value))
                if known is None or known.order <= variable.order:  # the outermost function
                    self._locals[id(variable.value)] = variable

    def local(self, value: object) -> Variable | None:
        """The local variable of a function that runs which holds this."""
        return self._locals.get(id(value))

    def through(self, referrer: object, held: Collection[int]) -> Iterator[Variable]:
        """The variables through which a referrer has any of these objects, given by their `id`."""
        for variable in self._all(referrer):
            if id(variable.value) in held:
                yield variable

    def _all(self, referrer: object) -> Iterable[Variable]:
        kind, each = type(referrer), cast("Any", referrer)
        if kind is dict:
            return _of_module(each) if _is_module(each) else ()
        if kind is FrameType:
            return () if id(referrer) in self.running else _of_frame(each, _CLOSURE, vague=True)
        if kind is GeneratorType:
            return _of_frame(each.gi_frame, _CLOSURE)
        if kind is CoroutineType:
            return _of_frame(each.cr_frame, _CLOSURE)
        if kind is FunctionType:
            return _of_function(each)
        if issubclass(kind, type):
            return _of_class(each)
        if kind.__module__ == "builtins" or is_ours(kind.__module__):
            return ()
        return _of_object(each)


def is_internal(referrer: object) -> bool:
    """Whether this is the observer's own, which holds an object only while it looks for it."""
    if type(referrer) is FrameType:
        return is_ours(str(referrer.f_globals.get("__name__")))
    return is_ours(type(referrer).__module__)


def _is_module(names: dict[str, object]) -> bool:
    return "__name__" in names and "__builtins__" in names


def _of_module(names: dict[str, object]) -> Iterator[Variable]:
    file = str(names.get("__file__") or "")
    where = shown(file) if file else str(names["__name__"])
    for name, value in list(names.items()):
        yield Variable((rank_of(file or where), _GLOBAL), name, f" in {where}", value)


def _of_frame(frame: FrameType | None, kind: int, *, vague: bool = False) -> Iterator[Variable]:
    if frame is None or is_internal(frame):
        return
    code = frame.f_code
    where = f" in {_called(code.co_name)} of {shown(code.co_filename)}"
    for name, value in local_variables(frame):
        yield Variable((rank_of(code.co_filename), kind), name, where, value, vague)


def _of_function(function: FunctionType) -> Iterator[Variable]:
    code = function.__code__
    where = f" in the closure of {_called(code.co_name)} of {shown(code.co_filename)}"
    order = rank_of(code.co_filename), _CLOSURE
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=False):
        with suppress(ValueError):  # it is empty
            yield Variable(order, name, where, cell.cell_contents)
    for value in function.__defaults__ or ():
        where = f" of {_called(code.co_name)} of {shown(code.co_filename)}"
        yield Variable(order, "a default", where, value)


def _of_class(kind: type) -> Iterator[Variable]:
    order, file = _order(kind)
    for name, value in list(vars(kind).items()):
        yield Variable(order, name, f" of class {kind.__name__}{file}", value)


def _of_object(owner: object) -> Iterator[Variable]:
    kind = type(owner)
    order, file = _order(kind)
    vague = of_library(kind)
    for name, value in _attributes(owner):
        yield Variable(order, name, f" of {kind.__name__}{file}", value, vague)


def _attributes(owner: object) -> Iterator[tuple[str, object]]:
    with suppress(Exception):
        yield from list(object.__getattribute__(owner, "__dict__").items())
    for kind in type(owner).__mro__:
        for name, member in list(vars(kind).items()):
            if type(member) is MemberDescriptorType:
                with suppress(Exception):
                    yield name, member.__get__(owner)


def of_library(kind: type) -> bool:
    """Whether a class is one of Python's own library."""
    return is_library(_file(kind))


def _order(kind: type) -> tuple[tuple[int, int], str]:
    """How good a name with this class is, and in which file the class is."""
    file = _file(kind)
    where = f" in {shown(file)}" if file else ""
    return (rank_of(file or "__main__"), _ATTRIBUTE), where


def _file(kind: type) -> str:
    """The file in which a class is; empty where it is in none."""
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return file if isinstance(file, str) else ""


def _called(function: str) -> str:
    return f"{function}()" if function.isidentifier() else function
