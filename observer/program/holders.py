"""Who holds the memory at an address: a variable or attribute by which the program reaches it.

The search takes some 25 ms for each of a few passes over all objects. It is at its end after
`LIMIT_SECONDS`, and keeps nothing.
"""

from __future__ import annotations

import gc
import time
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from ..private import has_storage, saved_tensors
from .variables import Variable, Variables, is_internal

LIMIT_SECONDS = 0.5
_DEPTH = 6  # steps from a tensor to a variable at most
_AT_ONCE, _WIDTH = 32, 64  # tensors, and objects on each step; a pass takes longer with more
_PLAIN = (Tensor, nn.Parameter)
_CONTAINERS = (list, tuple, dict, set, frozenset, deque)
_MOST_NODES = 20_000  # of graphs
_LONGEST_KEY = 20


def holders(device: torch.device, addresses: list[int]) -> dict[int, str]:
    """Who holds the memory at each address, as "history in train.py"; those not found are absent.

    The search refers to objects of the program while it lasts, so none of them is freed then.
    """
    search = _Search(device, set(addresses))
    waiting = deque(search.known(addresses))
    while waiting and not search.late:
        some: list[int] = []
        while waiting and len(some) < _AT_ONCE:
            address = waiting.popleft()
            if address not in search.names:
                some.append(address)
        search.look_for(some)
    return search.names


class _Search:
    """`names` are those found so far, by address."""

    def __init__(self, device: torch.device, wanted: set[int]) -> None:
        self.names: dict[int, str] = {}
        self._until = time.perf_counter() + LIMIT_SECONDS
        self._device, self._wanted = device, wanted
        # Those at an address, or the one whose graph keeps it. Nobody may hold the base of a view.
        self._tensors: dict[int, list[Tensor]] = {}
        self._graphs: dict[int, list[int]] = {}  # the addresses in the graph of a tensor, by `id`
        with_graph = []
        for each in gc.get_objects():
            kind = type(each)
            if kind in _PLAIN and each.device == device:
                address = _address(each)
                if address in wanted:
                    self._tensors.setdefault(address, []).append(each)
                if each.grad_fn is not None:
                    with_graph.append(each)
        del each
        self._walk_graphs(with_graph)
        self._variables = Variables()

    @property
    def late(self) -> bool:
        """Whether the time is over."""
        return time.perf_counter() > self._until

    def known(self, addresses: list[int]) -> list[int]:
        """Those at which there is a tensor."""
        return [address for address in addresses if address in self._tensors]

    def look_for(self, addresses: list[int]) -> None:
        """Name these addresses, and all that the same variables hold.

        Each is named by the nearest variable. A function's own one counts where there is no other:
        it may be that of a loop.
        """
        path = _Path((address, each) for address in addresses for each in self._tensors[address])
        locals_: dict[int, Variable] = {}
        for _ in range(_DEPTH):
            for each in path.level:
                if (variable := self._variables.local(each)) is not None:
                    for address in path.leads[id(each)]:
                        locals_.setdefault(address, variable)
            if not path.level or self.late:
                break
            path.go_on(skip={id(locals_), *map(id, self._tensors.values())})
            found = [
                variable
                for each in path.level
                for variable in self._variables.through(each, path.leads)
            ]
            for variable in sorted(found, key=lambda each: each.order, reverse=True):
                self._name_all(variable, path.leads[id(variable.value)])
            path.leave(self.names)
        for address, variable in locals_.items():
            if address not in self.names:
                self._name_all(variable, {address})

    def _name_all(self, variable: Variable, addresses: set[int]) -> None:
        """Name what a variable holds."""
        inside = [each for each in _tensors_in(variable.value) if self._is_wanted(each[1])]
        keys = {key for key, _ in inside}
        key = keys.pop() if len(keys) == 1 else ""
        name = f"{variable.name}{key}{variable.where}"
        tensors = [each for _, each in inside]
        for tensor in chain(tensors, *(self._tensors[each] for each in addresses)):
            if (address := self._address(tensor)) in self._wanted:
                self.names.setdefault(address, name)
            for address in self._graphs.get(id(tensor), ()):
                self.names.setdefault(address, f"the graph of {name}")

    def _is_wanted(self, tensor: Tensor) -> bool:
        """Whether a tensor has, or its graph keeps, anything that is looked for."""
        return id(tensor) in self._graphs or self._address(tensor) in self._wanted

    def _address(self, tensor: Tensor) -> int:
        return _address(tensor) if tensor.device == self._device else 0

    def _walk_graphs(self, tensors: list[Tensor]) -> None:
        """Find what is kept for a backward pass of these, and is in no tensor of Python's."""
        missing = self._wanted - self._tensors.keys()
        seen: set[int] = set()
        nodes: list[object] = []  # alive, so that no `id` comes twice
        for tensor in tensors:
            waiting = [tensor.grad_fn]
            while waiting and missing and len(nodes) < _MOST_NODES and not self.late:
                node = waiting.pop()
                if node is None or id(node) in seen:
                    continue
                seen.add(id(node))
                nodes.append(node)
                waiting += [following for following, _ in node.next_functions]
                for saved in saved_tensors(node):
                    address = self._address(saved)
                    if address in missing:
                        missing.discard(address)
                        self._graphs.setdefault(id(tensor), []).append(address)
                        self._tensors[address] = [tensor]


class _Path:
    """The objects by which tensors are reached, from the tensors on, a `level` at a time.

    `leads` has for each of them, by `id`, the addresses to which it leads.
    """

    def __init__(self, tensors: Iterable[tuple[int, Tensor]]) -> None:
        self.leads: dict[int, set[int]] = {}
        self.level: list[object] = []
        for address, tensor in tensors:
            if id(tensor) not in self.leads:
                self.level.append(tensor)
            self.leads.setdefault(id(tensor), set()).add(address)
        self._reached: dict[int, set[int]] = {}
        self._levels = [self.level]  # alive, so that no `id` comes twice

    def go_on(self, skip: set[int]) -> None:
        """To what refers to this level. `leads` has it only after `leave`."""
        skip = {*skip, *map(id, self._levels), id(self._levels)}
        before = {id(each) for each in self.level}
        self.level, found = [], gc.get_referrers(*self.level)
        for each in found:
            if id(each) in skip or is_internal(each):
                continue
            held = before.intersection(map(id, gc.get_referents(each)))
            reached = {address for one in held for address in self.leads[one]}
            if not reached <= self.leads.get(id(each), set()):
                self.level.append(each)
                self._reached[id(each)] = reached
        self._levels.append(self.level)

    def leave(self, named: dict[int, str]) -> None:
        """Go on only from what leads to an address that has no name yet."""
        level = [each for each in self.level if not self._reached[id(each)] <= named.keys()]
        self.level = level[:_WIDTH]
        self._levels.append(self.level)
        for key, reached in self._reached.items():
            self.leads.setdefault(key, set()).update(reached)
        self._reached.clear()


def _address(tensor: Tensor) -> int:
    """Where a tensor's memory is; 0 where it has none of its own."""
    return tensor.untyped_storage().data_ptr() if has_storage(tensor) else 0


def _tensors_in(value: object) -> Iterator[tuple[str, Tensor]]:
    """The tensors in a container and in those within it, each with its key in the outermost one."""
    seen: set[int] = set()
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        key, each = waiting.pop()
        kind = type(each)
        if kind in _PLAIN:
            yield key, each
        elif issubclass(kind, _CONTAINERS) and id(each) not in seen:
            seen.add(id(each))
            if issubclass(kind, dict):
                outermost = each is value
                for name, held in list(dict.items(each)):
                    waiting.append((_shown_key(name) if outermost else key, held))
            else:
                waiting += [(key, held) for held in gc.get_referents(each)]


def _shown_key(key: object) -> str:
    text = repr(key) if type(key) in (str, int) else "…"
    return f"[{text}]" if len(text) <= _LONGEST_KEY else "[…]"
