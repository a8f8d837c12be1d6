"""Single training images: the tensors on the way from the file to the model, and back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor
from vramtop.protocol.lesson.messages import Picture, Stage
from vramtop.protocol.lesson.settings import SettingError

from .batches import Normalisation
from .datasets import Dataset


class Gallery:
    """Shows a dataset's training images in turn; another dataset starts from its first image."""

    def __init__(self) -> None:
        self._dataset: Dataset | None = None
        self._next = 0

    def show(self, dataset: Dataset, index: int | None) -> Picture:
        """The image at `index`; without one, the next image, and after the last the first.

        Draws no random number. Raises `SettingError` where there is no such image.
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
    """The training image at `index` at each stage; every figure is read from a tensor."""
    normalisation = Normalisation(dataset)
    stored = dataset.train.inputs[index].view(dataset.data.shape)
    scaled = stored.to(torch.float32).div_(255)
    inputs = normalisation(stored.to(torch.float32))  # with a batch dimension of 1
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
    """The picture, made on a separate thread.

    During a recorded step the ledger counts every operator of the training's thread, even while the
    step is paused. The picture is not part of the step.
    """
    with ThreadPoolExecutor(1) as apart:
        return apart.submit(picture, dataset, index).result()
