"""The parameters and buffers of the program as a window knows them. It keeps none alive."""

from __future__ import annotations

import torch

from ..private import autocast_itemsize
from .owners import Owned, Owners, WeaklyOwned


class Parameters:
    """Those that were there when they were looked up last, and are alive."""

    def __init__(self, owners: Owners) -> None:
        self._owners = owners
        self._known: list[WeaklyOwned] = []

    def look_up(self) -> None:
        """Look for new ones."""
        self._known = [each.weakly() for each in self._owners.parameters()]

    def alive(self) -> list[Owned]:
        """The tensors with their names."""
        return [owned for each in self._known if (owned := each.alive()) is not None]

    def clear(self) -> None:
        """Forget them."""
        self._known.clear()

    def autocast_sizes(self, device_type: str) -> list[int]:
        """The bytes of the copies that autocast keeps of them, if it is enabled here."""
        itemsize = autocast_itemsize(device_type)
        return [
            each.tensor.numel() * itemsize
            for each in self.alive()
            if itemsize and each.trained and each.tensor.dtype is torch.float32
        ]
