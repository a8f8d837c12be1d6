"""MNIST and CIFAR-10 from their files, and their substitutes.

All images are loaded at once, so that damaged files are found before the training begins.
"""

from __future__ import annotations

import gzip
import tempfile
import warnings
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor
from vramtop.protocol.lesson.formula import CLASSES
from vramtop.protocol.lesson.messages import Data
from vramtop.protocol.lesson.settings import DatasetName

from . import drawings, folders, idx, sources
from .folders import BINARY_RECORD, Layout
from .sources import SHAPES, Source

# The lesson's normalisation: mean and standard deviation, the same for every channel.
NORMALISATION: dict[DatasetName, tuple[float, float]] = {
    "mnist": (0.1307, 0.3081),
    "cifar10": (0.5, 0.5),
}
_NAMES: dict[DatasetName, str] = {"mnist": "MNIST", "cifar10": "CIFAR-10"}


Parts: TypeAlias = list[tuple[Tensor, Tensor]]


class DataError(Exception):
    """The images cannot be used; the text is one line."""


@dataclass(frozen=True)
class Images:
    """`inputs`: uint8 (N, C·H·W); `targets`: int64 (N,), 0 to 9."""

    inputs: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class Dataset:
    """A dataset in host memory; `mean` and `std` normalise values that are scaled to 0…1."""

    train: Images
    test: Images
    mean: float
    std: float
    data: Data

    @property
    def pixels(self) -> int:
        """Values in an image, C·H·W."""
        return self.train.inputs.shape[1]


class Read(NamedTuple):
    """The contents of files: images, the classes' names, and the name of the dataset."""

    train: Images
    test: Images
    classes: tuple[str, ...]
    name: str


class Library:
    """Loads each dataset once; files are looked for below `data_dir`."""

    def __init__(self, data_dir: str | None) -> None:
        self._data_dir = data_dir
        self._loaded: dict[DatasetName, Dataset] = {}

    def load(self, dataset: DatasetName) -> Dataset:
        """The dataset; raises `SettingError` for missing files, `DataError` for damaged ones."""
        if dataset not in self._loaded:
            self._loaded[dataset] = load(sources.find(dataset, self._data_dir, download=False))
        return self._loaded[dataset]


def load(source: Source) -> Dataset:
    """All images of a source that needs no download.

    Raises `DataError` with one line where they are damaged.
    """
    name, root = source.dataset, source.root
    if root is not None:
        train, test, classes, called = _read(name, root)
        description = f"{called}, {len(train):,} images from files"
        data = Data("files", description, len(train), len(test), SHAPES[name], classes)
    elif name == "mnist":
        train, test, classes, _ = _sample()
        description = f"{_NAMES[name]} sample, {len(train):,} of 60,000 real digits"
        data = Data("sample", description, len(train), len(test), SHAPES[name], classes)
    else:
        train, test = (Images(inputs.flatten(1), kinds) for inputs, kinds in drawings.draw())
        description = f"{_NAMES[name]} synthetic, drawn shapes in its format"
        classes = drawings.KINDS
        data = Data("synthetic", description, len(train), len(test), SHAPES[name], classes)
    mean, std = NORMALISATION[name]
    return Dataset(train, test, mean, std, data)


def _sample() -> Read:
    """The digits that come with the package, unpacked as a data directory holds them."""
    try:
        with tempfile.TemporaryDirectory() as root:
            raw = sources.folder("mnist", Path(root))
            raw.mkdir(parents=True)
            for name in folders.MNIST_FILES:
                packed = (sources.SAMPLE / f"{name}.gz").read_bytes()
                (raw / name).write_bytes(gzip.decompress(packed))
            return _read("mnist", Path(root))
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"the sample that ships cannot be unpacked into {tempfile.gettempdir()} ({error}); "
            "free some space there, or install vramtop again"
        ) from error


def _read(name: DatasetName, root: Path) -> Read:
    """The contents of a data directory."""
    layout = folders.find(name, root)
    try:
        if layout is None:
            place = sources.folder(name, root)
            if name == "cifar10":
                from . import pickled

                raise ValueError(pickled.not_original(place))
            raise ValueError(f"there is no {', '.join(folders.missing(name, place))}")
        with warnings.catch_warnings():
            # Some NumPy releases warn about the pickle format of CIFAR-10, which is fixed.
            warnings.simplefilter("ignore")
            parts, classes = _READERS[layout.form](layout)
        for what, (inputs, targets) in zip(("training", "test"), parts, strict=True):
            _validate(what, inputs, targets, SHAPES[name])
    # A damaged file can make a reader raise anything.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        place = layout.folder if layout else sources.folder(name, root)
        called = layout.name if layout else _NAMES[name]
        raise DataError(
            f"{called} in {place} is damaged: {reason}; put the original files there, or "
            "remove that folder and use --download"
        ) from error
    train, test = (Images(inputs.flatten(1), targets) for inputs, targets in parts)
    return Read(train, test, classes, layout.described)


def _digits(layout: Layout) -> tuple[Parts, tuple[str, ...]]:
    """Training and test images, (N, 1, 28, 28), with their labels, and the classes."""
    parts = []
    for images, labels in (layout.files[:2], layout.files[2:]):
        number = idx.count(images, labels)
        pixels = _values(images, idx.IMAGES_HEADER).view(number, *SHAPES["mnist"])
        # EMNIST stores columns where MNIST stores rows.
        pixels = pixels.mT.contiguous() if layout.transposed else pixels
        parts.append((pixels, _values(labels, idx.LABELS_HEADER).long()))
    return parts, layout.classes


def _values(path: Path, header: int) -> Tensor:
    """The bytes of a file behind its header, uint8 (N,)."""
    return torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.uint8, offset=header)


def _pickled(layout: Layout) -> tuple[Parts, tuple[str, ...]]:
    """CIFAR-10's training and test images, (N, 3, 32, 32), with their labels, and its classes."""
    from . import pickled  # imports torchvision, which takes a second

    return pickled.read(layout.folder)


def _binary(layout: Layout) -> tuple[Parts, tuple[str, ...]]:
    """The same as `_pickled`, from CIFAR-10's binary files: each record is a label and pixels."""
    return [_records(layout.files[:-1]), _records(layout.files[-1:])], layout.classes


def _records(paths: Sequence[Path]) -> tuple[Tensor, Tensor]:
    content = bytearray()
    for path in paths:
        size = path.stat().st_size
        if size == 0 or size % BINARY_RECORD:
            raise ValueError(f"{path.name} is {size:,} B long, no multiple of {BINARY_RECORD:,} B")
        content += path.read_bytes()
    records = torch.frombuffer(content, dtype=torch.uint8).view(-1, BINARY_RECORD)
    return records[:, 1:].reshape(-1, *SHAPES["cifar10"]), records[:, 0].long()


_READERS: dict[str, Callable[[Layout], tuple[Parts, tuple[str, ...]]]] = {
    "idx": _digits,
    "pickled": _pickled,
    "binary": _binary,
}


def _validate(what: str, inputs: Tensor, targets: Tensor, shape: tuple[int, ...]) -> None:
    """Raise `ValueError` unless these are images of `shape` with a label from 0 to 9 each."""
    if len(targets) == 0:
        raise ValueError(f"there are no {what} images")
    if len(inputs) != len(targets):
        raise ValueError(f"{len(inputs):,} {what} images and {len(targets):,} labels")
    if inputs.shape[1:] != shape:
        raise ValueError(f"{what} images of {tuple(inputs.shape[1:])}, not {shape}")
    if targets.min() < 0 or targets.max() >= CLASSES:
        raise ValueError(f"{what} labels from {targets.min()} to {targets.max()}, not 0 to 9")
