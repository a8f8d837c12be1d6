"""Which tensor's graph keeps memory for a backward pass, so that whoever holds the tensor holds it.

What a graph has saved is read and let go at once. What hooks have packed stays so.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable

from torch import Tensor

from ..private import has_storage, saved_tensors

_MOST_NODES = 20_000


def kept_by_graphs(
    tensors: Iterable[Tensor], wanted: Collection[int], until: float
) -> dict[int, Tensor]:
    """The tensor whose graph keeps the memory at each wanted address; others are absent.

    Of tensors that lie in each other's graphs it is the last one. `tensors` are those with a graph.
    At `until`, a time of `time.perf_counter`, the walk ends.
    """
    walk = _Walk(tensors, set(wanted))
    walk.go(until)
    return {address: walk.last(root) for address, root in walk.found.items()}


class _Walk:
    """Walks each graph from its tensor down; no node comes twice."""

    def __init__(self, tensors: Iterable[Tensor], missing: set[int]) -> None:
        self.found: dict[int, int] = {}  # the number of a root, by address
        self._missing = missing
        self._roots = list(tensors)
        self._above: dict[int, int] = {}  # a root in whose graph another one lies, both by number
        # By the `id` of a node: the roots that begin there, and the root that has come there first.
        self._begin_at: dict[int, int] = {}
        self._seen: set[int] = set()
        self._nodes: list[object] = []  # alive, so that no `id` comes twice
        self._saved_names: dict[type, tuple[str, ...]] = {}
        for number, root in enumerate(self._roots):
            node = root.grad_fn
            self._nodes.append(node)
            self._begin_at.setdefault(id(node), number)

    def go(self, until: float) -> None:
        """Walk them all, as far as the time allows."""
        most = len(self._nodes) + _MOST_NODES
        for number, root in enumerate(self._roots):
            waiting = [root.grad_fn]
            while waiting and self._missing:
                if len(self._nodes) >= most or time.perf_counter() > until:
                    return
                node = waiting.pop()
                begins = self._begin_at.get(id(node), number)
                if begins != number:
                    self._above.setdefault(begins, number)
                if node is None or id(node) in self._seen:
                    continue
                self._seen.add(id(node))
                self._nodes.append(node)
                waiting += [following for following, _ in node.next_functions]
                for saved in saved_tensors(node, self._saved_names):
                    address = saved.untyped_storage().data_ptr() if has_storage(saved) else 0
                    if address in self._missing:
                        self._missing.discard(address)
                        self.found[address] = number

    def last(self, root: int) -> Tensor:
        """The tensor that this root, by number, was used for in the end."""
        passed = {root}
        while (above := self._above.get(root, root)) not in passed:
            root = above
            passed.add(root)
        return self._roots[root]
