"""What owners call their tensors, each name once."""

from __future__ import annotations

from torch import Tensor

from .owners import Owned
from .tables import Table


class TensorNames:
    """Gives each name a number, with what is known of its tensor beside its bytes."""

    def __init__(self) -> None:
        self._table: Table[tuple[str, str], list[object]] = Table()

    @property
    def values(self) -> list[list[object]]:
        """The fields of each name, by its number."""
        return self._table.values

    def add(self, owned: Owned, tensor: Tensor, size: int) -> int:
        """The number of the name that an owner has for a tensor; its memory has `size` bytes."""
        shape, dtype = tuple(tensor.shape), str(tensor.dtype).removeprefix("torch.")
        whole = tensor.numel() * tensor.itemsize == size
        facts = [
            owned.path,
            list(shape),
            dtype,
            tensor.itemsize,
            owned.trained,
            owned.buffer,
            not whole,
        ]
        return self._table.add((owned.path, f"{shape}{dtype}{owned.key}{whole}"), facts)
