"""Numbers that stand for storages, where a recorder knows no addresses."""

from __future__ import annotations

import weakref
from collections.abc import Iterable

from torch import UntypedStorage

from ..private import storage_key


class Numbers:
    """Gives each storage a number, from 1, that it has in all windows. It keeps none alive."""

    def __init__(self) -> None:
        self._latest = 0
        self._known: dict[int, tuple[int, weakref.ref[UntypedStorage]]] = {}

    def of(self, storage: UntypedStorage) -> int:
        """The number that a storage had in an earlier window, or else a new one."""
        known = self._known.get(storage_key(storage))
        if known is not None and known[1]() is storage:
            return known[0]
        self._latest += 1
        return self._latest

    def keep(self, seen: Iterable[tuple[int, weakref.ref[UntypedStorage]]]) -> None:
        """These were seen in a window: they keep their numbers."""
        for number, reference in [*self._known.values(), *seen]:
            storage = reference()
            if storage is not None:
                self._known[storage_key(storage)] = number, weakref.ref(storage)
        for key, (_, reference) in list(self._known.items()):
            if reference() is None:
                del self._known[key]

    def pointers(self) -> dict[int, int]:
        """Where the memory of each that is alive lies, by number."""
        alive = [(number, reference()) for number, reference in list(self._known.values())]
        return {number: each.data_ptr() for number, each in alive if each is not None}
