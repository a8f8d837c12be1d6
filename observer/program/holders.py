"""Who holds the memory at an address: a variable or attribute by which the program reaches it.

An error keeps the variables of functions that have ended, in its traceback, and a tensor that can
be differentiated what its graph has saved. Both are named by who holds the error or that tensor.

The search takes some 25 ms for each of a few passes over all objects. It is at its end after
`LIMIT_SECONDS`, and keeps nothing.
"""

from __future__ import annotations

import gc
import time
from collections import deque
from collections.abc import Mapping

import torch
from torch import Tensor

from ..private import has_storage
from .graphs import kept_by_graphs
from .paths import Path
from .variables import Variable, Variables
from .within import PLAIN, frames_of, tensors_within

LIMIT_SECONDS = 0.5
_DEPTH = 8  # steps from a tensor to a variable at most
_AT_ONCE = 32  # tensors; a pass takes longer with more
_GRAPHS = 0.3  # of the time at most
GRAPH = "the graph of "  # in front of the name of what has such a graph


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
        began = time.perf_counter()
        self._until = began + LIMIT_SECONDS
        self._device, self._wanted = device, wanted
        # Those at an address. Nobody may hold the base of a view, nor what only a graph keeps.
        self._tensors: dict[int, list[Tensor]] = {}
        with_graph: list[Tensor] = []
        errors: list[BaseException] = []
        for each in gc.get_objects():
            kind = type(each)
            if kind in PLAIN and each.device == device:
                address = _address(each)
                if address in wanted:
                    self._tensors.setdefault(address, []).append(each)
                if each.grad_fn is not None:
                    with_graph.append(each)
            elif issubclass(kind, BaseException):
                errors.append(each)
        del each
        self._roots = kept_by_graphs(with_graph, wanted, began + _GRAPHS * LIMIT_SECONDS)
        self._kept: dict[int, list[int]] = {}  # the addresses in the graph of a root, by its `id`
        for address, root in self._roots.items():
            self._kept.setdefault(id(root), []).append(address)
        self._variables = Variables()
        self._errors = {
            id(frame): error
            for error in errors
            for frame in frames_of(error)
            if id(frame) not in self._variables.running
        }

    @property
    def late(self) -> bool:
        """Whether the time is over."""
        return time.perf_counter() > self._until

    def known(self, addresses: list[int]) -> list[int]:
        """Those at which there is a tensor, or which a graph keeps."""
        return [each for each in addresses if each in self._tensors or each in self._roots]

    def look_for(self, addresses: list[int]) -> None:
        """Name these addresses, and all that the same variables hold.

        Each is named by the nearest variable. A vague one counts where there is no other, and then
        a function's own one: it may be that of a loop.
        """
        path = Path(self._errors)
        for address in addresses:
            for tensor in self._tensors.get(address, ()):
                path.begin(tensor, address)
            if (root := self._roots.get(address)) is not None:
                path.begin(root, address, GRAPH)
        fallback: dict[int, tuple[Variable, str]] = {}
        locals_: dict[int, tuple[Variable, str]] = {}
        for _ in range(_DEPTH):
            for each in path.level:
                if (variable := self._variables.local(each)) is not None:
                    for address, how in path.leads[id(each)].items():
                        locals_.setdefault(address, (variable, how))
            if not path.level or self.late:
                break
            path.go_on(skip={id(fallback), id(locals_), *map(id, self._tensors.values())})
            found = [
                variable
                for each in path.level
                for variable in self._variables.through(each, path.leads)
            ]
            for variable in sorted(found, key=lambda each: each.order, reverse=True):
                reached = path.leads[id(variable.value)]
                if variable.vague or (variable.of_closure and path.has_errors(reached)):
                    for address, how in reached.items():
                        fallback.setdefault(address, (variable, how))
                else:
                    self._name_all(variable, reached)
            path.leave(self.names)
        self._fall_back(locals_, fallback)

    def _fall_back(
        self,
        locals_: Mapping[int, tuple[Variable, str]],
        vague: Mapping[int, tuple[Variable, str]],
    ) -> None:
        """Name what no lasting variable has: by one that has its error, a vague one, any."""
        of_errors = {each: found for each, found in locals_.items() if found[1] not in ("", GRAPH)}
        for known in (of_errors, vague, locals_):
            for address, (variable, how) in known.items():
                if address not in self.names:
                    self._name_all(variable, {address: how})

    def _name_all(self, variable: Variable, reached: Mapping[int, str]) -> None:
        """Name what a variable holds: what was `reached`, by address and way, and all beside it."""
        inside = [
            each
            for each in tensors_within(variable.value, self._variables.running)
            if self._address(each.tensor) in self._wanted or id(each.tensor) in self._kept
        ]
        keys = {each.key for each in inside}
        name = f"{variable.name}{keys.pop() if len(keys) == 1 else ''}{variable.where}"
        for each in inside:
            if (address := self._address(each.tensor)) in self._wanted:
                self.names.setdefault(address, f"{each.how}{name}")
        for each in inside:
            for address in self._kept.get(id(each.tensor), ()):
                self.names.setdefault(address, f"{each.how or GRAPH}{name}")
        for address, how in reached.items():
            self.names.setdefault(address, f"{how}{name}")

    def _address(self, tensor: Tensor) -> int:
        return _address(tensor) if tensor.device == self._device else 0


def _address(tensor: Tensor) -> int:
    """Where a tensor's memory is; 0 where it has none of its own."""
    return tensor.untyped_storage().data_ptr() if has_storage(tensor) else 0
