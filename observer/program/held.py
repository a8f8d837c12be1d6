"""Whose the memory on a device is, of what the program's modules and optimizers own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch

from ..ownership import stored_on
from ..private import unwrapped
from .owners import Owned, Owners
from .tensor_names import TensorNames


class Held:
    """The memory that owners have on a device, each storage once. It keeps no tensor alive.

    `sightings` are the addresses with their owners, all at place 0; `names` has their names.
    """

    def __init__(self, device: torch.device) -> None:
        self.sightings: list[tuple[int, int, str, int, str]] = []
        self.names = TensorNames()
        self._device = device
        self._counted: set[int] = set()

    def add(self, owner: str, owned: Iterable[Owned]) -> int:
        """Note that these are an owner's; returns the bytes that were nobody's before."""
        total = 0
        for each in owned:
            for tensor in stored_on(self._device, unwrapped(each.tensor)):
                try:
                    storage = tensor.untyped_storage()
                except (NotImplementedError, RuntimeError):
                    continue  # it has none of its own: `torch.func` works on such
                address, size = storage.data_ptr(), storage.nbytes()
                if size:
                    name = self.names.add(each, tensor, size)
                    self.sightings.append((0, address, owner, name, each.key))
                    total += 0 if address in self._counted else size
                    self._counted.add(address)
        return total


def gradients_on(device: torch.device, parameters: Iterable[Owned]) -> Iterator[Owned]:
    """The gradients of a device's parameters."""
    for each in parameters:
        parameter = each.tensor
        # A buffer that forward computed has no `.grad`, and PyTorch warns of asking.
        if parameter.device == device and parameter.is_leaf and parameter.grad is not None:
            yield each._replace(tensor=parameter.grad)


def state_of(owners: Owners, parameters: Iterable[Owned]) -> Iterator[Owned]:
    """What the optimizers keep, with the names of the parameters."""
    return owners.optimizer_state({id(each.tensor): each.path for each in parameters})
