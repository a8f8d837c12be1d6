"""The objects by which tensors are reached, from the tensors on, until a variable has one."""

from __future__ import annotations

import gc
from collections.abc import Collection, Mapping
from types import FrameType

from .variables import is_internal
from .within import traceback_of

_WIDTH = 64  # objects on each step; a pass takes longer with more


class Path:
    """Goes up a `level` at a time.

    `leads` has for each object, by `id`, the addresses to which it leads, and how: through nothing
    that is worth a word, or with the beginning of a name. `errors` are those whose traceback keeps
    a frame, by the frame's `id`: the path goes from such a frame to the error at once.
    """

    def __init__(self, errors: Mapping[int, BaseException]) -> None:
        self._errors = errors
        self.leads: dict[int, dict[int, str]] = {}
        self.level: list[object] = []
        self._reached: dict[int, dict[int, str]] = {}
        self._in_errors: set[int] = set()  # addresses to which an error leads
        self._levels = [self.level]  # alive, so that no `id` comes twice

    def begin(self, each: object, address: int, how: str = "") -> None:
        """This object leads to an address."""
        if id(each) not in self.leads:
            self.level.append(each)
        self.leads.setdefault(id(each), {}).setdefault(address, how)

    def has_errors(self, reached: Collection[int]) -> bool:
        """Whether an error leads to all of these addresses, too."""
        return self._in_errors.issuperset(reached)

    def go_on(self, skip: set[int]) -> None:
        """To what refers to this level. `leads` has it only after `leave`."""
        skip = {*skip, *map(id, self._levels), id(self._levels)}
        before = {id(each) for each in self.level}
        self.level, found = [], gc.get_referrers(*self.level)
        for each in found:
            if id(each) in skip or is_internal(each):
                continue
            held = before.intersection(map(id, gc.get_referents(each)))
            reached = {address: how for one in held for address, how in self.leads[one].items()}
            self._reach(each, reached)
            error = self._errors.get(id(each)) if type(each) is FrameType else None
            if error is not None:
                self._in_errors.update(reached)
                self._reach(error, dict.fromkeys(reached, traceback_of(error)))
        self._levels.append(self.level)

    def _reach(self, each: object, reached: Mapping[int, str]) -> None:
        known = self._reached.get(id(each), {})
        if not reached.keys() <= self.leads.get(id(each), {}).keys() | known.keys():
            if id(each) not in self._reached:
                self.level.append(each)
            self._reached.setdefault(id(each), {}).update(
                {address: how for address, how in reached.items() if address not in known}
            )

    def leave(self, named: Collection[int]) -> None:
        """Go on only from what leads to an address that is not among those `named` yet."""
        self.level = [
            each
            for each in self.level
            if any(address not in named for address in self._reached[id(each)])
        ][:_WIDTH]
        self._levels.append(self.level)
        for key, reached in self._reached.items():
            self.leads[key] = {**reached, **self.leads.get(key, {})}
        self._reached.clear()
