"""The modules that were called in a window, and what their calls tell of them."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from .tables import Table


def is_one_tensor(returned: object) -> bool:
    """Whether this is one tensor, alone or in a tuple of which all else is None."""
    if not isinstance(returned, tuple):
        return isinstance(returned, Tensor)
    there = [each for each in returned if each is not None]
    return len(there) == 1 and isinstance(there[0], Tensor)


class Called:
    """Gives each module a number, by which events name it. It keeps none alive."""

    def __init__(self) -> None:
        self._table: Table[int, list[str]] = Table()
        self._again: list[tuple[int, int]] = []
        self._single: dict[int, bool] = {}

    def add(self, module: nn.Module, paths: Mapping[int, tuple[str, str]]) -> int:
        """The module's number."""
        path, kind = paths.get(id(module), ("", type(module).__name__))
        return self._table.add(id(module), [path, kind])

    def again(self, module: nn.Module, mark: int) -> None:
        """It is called in a backward pass, after so many marks. Any thread may say so."""
        self._again.append((mark, id(module)))  # in one instruction, so no lock is needed

    def returned(self, number: int, *, single: bool) -> None:
        """A call of it has returned; `single` tells whether that was one tensor."""
        self._single[number] = single and self._single.get(number, True)

    @property
    def values(self) -> list[list[str]]:
        """The path and the class of each, by number."""
        return self._table.values

    def again_between(self, first: int, last: int) -> list[int]:
        """Those that were called in a backward pass between these two marks."""
        numbers = {self._table.number(key) for mark, key in self._again if first < mark <= last}
        return sorted(number for number in numbers if number is not None)

    @property
    def single(self) -> list[int]:
        """Those of which each call has returned one tensor."""
        return [number for number, single in self._single.items() if single]
