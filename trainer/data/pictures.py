"""Training images one by one: what they are as tensors on their way to the model, and back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor
from vramtop.protocol.lesson.messages import Picture, Stage
from vramtop.protocol.lesson.settings import SettingError

from .batches import Normalisation
from .datasets import Dataset


class Gallery:
    """Goes through a dataset's training images; with another dataset it begins anew."""

    def __init__(self) -> None:
        self._dataset: Dataset | None = None
        self._next = 0

    def show(self, dataset: Dataset, index: int | None) -> Picture:
        """The image at `index`, or the one after the last shown; after the last comes the first.

        Takes nothing from a random generator. Raises `SettingError` where there is no such image.
        """
        images = len(dataset.train)
        if dataset is not self._dataset:
            self._dataset, self._next = dataset, 0
        if index is None:
            index = self._next
        if not 0 <= index < images:
            raise SettingError(f"there is no image {index:,}; there are 0 to {images - 1:,}")
        self._next = (index + 1) % images
        return _unwatched(dataset, index)


def picture(dataset: Dataset, index: int) -> Picture:
    """The training image at `index`, at all its stages; every figure is read from a tensor."""
    normalisation = Normalisation(dataset)
    stored = dataset.train.inputs[index].view(dataset.data.shape)
    scaled = stored.to(torch.float32).div_(255)
    inputs = normalisation(stored.to(torch.float32))  # with the batch's dimension
    restored = normalisation.undo(inputs[0])
    drawn = restored.permute(1, 2, 0).contiguous()
    label = int(dataset.train.targets[index])
    return Picture(
        index=index,
        label=label,
        class_name=dataset.data.classes[label],
        source=dataset.data.source,
        normalisation=(dataset.mean, dataset.std),
        stages=(
            _stage("as stored", stored),
            _stage("ToTensor", scaled),
            _stage("Normalize", inputs[0]),
            _stage("in a batch of 1", inputs),
            _stage("de-normalised", restored),
            _stage("permute(1, 2, 0)", drawn),
        ),
        pixels=bytes(drawn.flatten().tolist()),
    )


def _stage(operation: str, tensor: Tensor) -> Stage:
    return Stage(
        operation=operation,
        dtype=str(tensor.dtype).removeprefix("torch."),
        shape=tuple(tensor.shape),
        bytes=tensor.element_size() * tensor.numel(),
        low=float(tensor.min()),
        high=float(tensor.max()),
        mean=float(tensor.to(torch.float64).mean()),
    )


def _unwatched(dataset: Dataset, index: int) -> Picture:
    """The picture, made on a thread of its own.

    The ledger watches all that the training's thread does within an instrumented step, even while
    that step is held; an image that is only looked at is no part of it.
    """
    with ThreadPoolExecutor(1) as apart:
        return apart.submit(picture, dataset, index).result()
