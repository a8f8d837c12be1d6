"""Batches of uint8 images: in random order for training, in stored order for evaluation.

Normalisation equals torchvision's ToTensor and Normalize to the bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from .datasets import Dataset, Images

_GATHERED = 256  # images copied at a time
# Host memory that normalised images may take. A dataset within it is normalised once, a larger one
# batch by batch.
_NORMALISED_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Batch:
    """`inputs`: float32 (b, C, H, W); `targets`: int64 (b,); both on the host, freshly made."""

    inputs: Tensor
    targets: Tensor


class Batches:
    """The training images in batches of any size, in a new order every epoch.

    The order depends only on the seed and the epoch. The batch size may therefore change at any
    time: no image of an epoch is lost or repeated. An epoch's last batch may be short.
    """

    def __init__(self, dataset: Dataset, seed: int) -> None:
        self._images = dataset.train
        self._normalise = Normalisation(dataset)
        self._normalised: Tensor | None = None
        if self._images.inputs.numel() * torch.float32.itemsize <= _NORMALISED_BYTES:
            self._normalised = self._normalise(self._images.inputs.to(torch.float32))
        self._seed = seed
        self.seek(1, 0)

    def seek(self, epoch: int, position: int) -> None:
        """Go to the place in `epoch` (from 1) after its first `position` images."""
        self._epoch = epoch
        self._position = position
        # Two epochs never share this number, and neither do two seeds.
        generator = torch.Generator().manual_seed((self._seed * 1_000_003 + epoch) % 2**63)
        self._order = torch.randperm(len(self._images), generator=generator)

    @property
    def epoch(self) -> int:
        """The epoch of the next batch, from 1."""
        return self._epoch

    @property
    def position(self) -> int:
        """How many images of this epoch have been taken."""
        return self._position

    @property
    def remaining(self) -> int:
        """How many images this epoch still has, at least 1."""
        return len(self._order) - self._position

    def next(self, batch_size: int) -> Batch:
        """The next `batch_size` images, or what the epoch has left of them."""
        batch = self.ahead(batch_size)
        self._position += len(batch.targets)
        if self._position == len(self._order):
            self.seek(self._epoch + 1, 0)
        return batch

    def ahead(self, batch_size: int) -> Batch:
        """The batch that `next` will give; the position stays as it is."""
        rows = self._order[self._position : self._position + batch_size]
        targets = self._images.targets.index_select(0, rows)
        if self._normalised is not None:
            return Batch(self._normalised.index_select(0, rows), targets)
        values = torch.empty(len(rows), self._images.inputs.shape[1])
        # A few images at a time: `index_select` copies them, and a whole batch would be held twice.
        for part, place in zip(
            torch.split(rows, _GATHERED), torch.split(values, _GATHERED), strict=True
        ):
            place.copy_(self._images.inputs.index_select(0, part))
        return Batch(self._normalise(values), targets)


def batch_bytes(pixels: int, rows: int) -> int:
    """Bytes of a batch of `rows` images of `pixels` values: float32 inputs, int64 targets."""
    return rows * (pixels * torch.float32.itemsize + torch.int64.itemsize)


def in_order(dataset: Dataset, images: Images, batch_size: int) -> Iterator[Batch]:
    """All of `images`, `batch_size` at a time, each once."""
    normalise = Normalisation(dataset)
    for start in range(0, len(images), batch_size):
        end = start + batch_size
        # Targets are copied: a slice would keep the storage of the whole dataset alive.
        values = images.inputs[start:end].to(torch.float32)
        yield Batch(normalise(values), images.targets[start:end].clone())


class Normalisation:
    """Scales float32 values from 0…255 to 0…1 and normalises them, in place.

    In place, because a division that also converts allocates a second array as large as the batch.
    Constants are tensors, because converting a number takes longer than a small batch's arithmetic.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._shape = (-1, *dataset.data.shape)
        self._white = torch.tensor(255.0)
        self._mean = torch.tensor(dataset.mean)
        self._std = torch.tensor(dataset.std)

    def __call__(self, values: Tensor) -> Tensor:
        """Change `values`, float32 (b, C·H·W) or (C, H, W), in place; a view of (b, C, H, W)."""
        return values.div_(self._white).sub_(self._mean).div_(self._std).view(self._shape)

    def undo(self, inputs: Tensor) -> Tensor:
        """The uint8 values that became `inputs`, float32 of any shape, in the same shape.

        Exact: float32 loses far less than half a value, and rounding restores it.
        """
        values = inputs.mul(self._std).add_(self._mean).mul_(self._white)
        return values.round_().to(torch.uint8)
