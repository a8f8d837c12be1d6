"""Values that many events share are sent once, and referred to by their number."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Table(Generic[Key, Value]):
    """Gives each key a number, from 0, and keeps the value that came with it first."""

    def __init__(self) -> None:
        self.values: list[Value] = []
        self._numbers: dict[Key, int] = {}

    def number(self, key: Key) -> int | None:
        """The number of a key; None where it is new."""
        return self._numbers.get(key)

    def add(self, key: Key, value: Value) -> int:
        """The number of a key, which is a new one where the key is."""
        number = self.number(key)
        if number is None:
            number = self._numbers[key] = len(self.values)
            self.values.append(value)
        return number
