"""The files of a dataset in a data directory, under any of their usual names. No torch.

MNIST, Fashion-MNIST, KMNIST and a part of EMNIST share one format; CIFAR-10 comes in two. Other
datasets that are often found there are named, with advice.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec
from vramtop.protocol.lesson.settings import DatasetName

DIGITS = tuple("0123456789")
_FASHION = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
    "Ankle boot",
)  # fmt: skip
_HIRAGANA = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
PHOTOGRAPHS = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip

MNIST_FOLDER, PICKLED_FOLDER, BINARY_FOLDER = (
    "MNIST/raw",
    "cifar-10-batches-py",
    "cifar-10-batches-bin",
)
MNIST_FILES = tuple(
    f"{part}-{content}-ubyte"
    for part in ("train", "t10k")
    for content in ("images-idx3", "labels-idx1")
)
CIFAR10_FILES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta")
_BINARY_FILES = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")
BINARY_RECORD = 1 + 3 * 32 * 32  # bytes: the label, and the pixels, channel after channel
# EMNIST's splits whose classes are the ten digits, and the other splits with their class counts.
_EMNIST_DIGITS = ("digits", "mnist")
_EMNIST_OTHERS = {"letters": 26, "balanced": 47, "bymerge": 47, "byclass": 62}
# The first labels of training and test: they identify the files, whatever folder they are in.
_BEGINNINGS = {
    bytes([5, 0, 4, 1, 9, 2, 1, 3, 1, 4, 7, 2, 1, 0, 4, 1, 4, 9, 5, 9]): "MNIST",
    bytes([9, 0, 0, 3, 0, 2, 7, 2, 5, 5, 9, 2, 1, 1, 6, 1, 4, 6, 5, 7]): "Fashion-MNIST",
}
_CLASSES = {"Fashion-MNIST": _FASHION, "KMNIST": _HIRAGANA}


class Layout(msgspec.Struct, frozen=True):
    """The files of the dataset `name`, all in `folder`.

    `described` is "MNIST format" for unknown files in the folder named MNIST, which may be another
    dataset's. Files of form "idx" are training images and labels, then test images and labels.
    `transposed` images store columns where others store rows.
    """

    name: str
    folder: Path
    form: Literal["idx", "pickled", "binary"]
    files: tuple[Path, ...]
    described: str
    classes: tuple[str, ...] = DIGITS
    transposed: bool = False


def find(dataset: DatasetName, root: Path) -> Layout | None:
    """Files below `root` that can be read as this dataset, first of all its own; else None."""
    return next(_digits(root) if dataset == "mnist" else _photographs(root), None)


def missing(dataset: DatasetName, folder: Path) -> list[str]:
    """The names of the dataset's own files that are not in `folder`, under any usual name."""
    if dataset == "mnist":
        return [name for name in MNIST_FILES if _idx_file(folder, name) is None]
    return [name for name in CIFAR10_FILES if not (folder / name).is_file()]


def foreign(dataset: DatasetName, root: Path) -> str | None:
    """One line on files below `root` that cannot be read as this dataset, with advice; or None."""
    return _other_digits(root) if dataset == "mnist" else _hundred_classes(root)


def _digits(root: Path) -> Iterator[Layout]:
    named = {"MNIST": MNIST_FOLDER, "Fashion-MNIST": "FashionMNIST/raw", "KMNIST": "KMNIST/raw"}
    for name, place in named.items():
        folder = root / place
        if files := _all_four(folder, MNIST_FILES):
            known = _by_labels(files)
            described = known or ("MNIST format" if name == "MNIST" else name)
            called = known or name
            yield Layout(called, folder, "idx", files, described, _CLASSES.get(called, DIGITS))
    folder = root / "EMNIST" / "raw"
    for split in _EMNIST_DIGITS:
        if files := _all_four(folder, _emnist_files(split)):
            name = f"EMNIST {split.upper() if split == 'mnist' else split.capitalize()}"
            yield Layout(name, folder, "idx", files, name, transposed=True)


def _photographs(root: Path) -> Iterator[Layout]:
    for place, form, names in (
        (PICKLED_FOLDER, "pickled", CIFAR10_FILES),
        (BINARY_FOLDER, "binary", _BINARY_FILES),
    ):
        files = tuple(root / place / name for name in names)
        if all(path.is_file() for path in files):
            kind: Literal["pickled", "binary"] = "binary" if form == "binary" else "pickled"
            yield Layout("CIFAR-10", root / place, kind, files, "CIFAR-10", PHOTOGRAPHS)


def _all_four(folder: Path, names: tuple[str, ...]) -> tuple[Path, ...]:
    """The four files, or none."""
    files = [path for name in names if (path := _idx_file(folder, name))]
    return tuple(files) if len(files) == len(names) else ()


def _idx_file(folder: Path, name: str) -> Path | None:
    """The file of that name; some unpackers replace the second hyphen with a dot."""
    dotted = name.replace("-idx", ".idx")
    return next((path for each in (name, dotted) if (path := folder / each).is_file()), None)


def _emnist_files(split: str) -> tuple[str, ...]:
    return tuple(
        f"emnist-{split}-{part}-{content}-ubyte"
        for part in ("train", "test")
        for content in ("images-idx3", "labels-idx1")
    )


def _by_labels(files: tuple[Path, ...]) -> str | None:
    """The name of the dataset whose labels begin like these; None where none is known."""
    beginnings = []
    for path in files:
        with path.open("rb") as file:
            beginnings.append(file.read(18)[8:])
    return _BEGINNINGS.get(beginnings[1] + beginnings[3])


def _other_digits(root: Path) -> str | None:
    right = root / "EMNIST" / "raw"
    for folder in (right, root, root / MNIST_FOLDER):
        for split in _EMNIST_DIGITS:
            names = _emnist_files(split)
            if (folder / f"{names[0]}.gz").is_file():
                to = shlex.quote(str(right))
                move = "" if folder == right else f"cp {shlex.quote(str(folder))}/emnist-* {to} && "
                return (
                    f"{folder} holds {names[0]}.gz, still packed; unpack with: "
                    f"mkdir -p {to} && {move}gunzip -kf {to}/emnist-{split}-*.gz"
                )
            if folder != right and _idx_file(folder, names[0]):
                return f"{folder} holds EMNIST's files themselves; they belong in {right}"
        for split, classes in _EMNIST_OTHERS.items():
            if any(folder.glob(f"emnist-{split}-*")):
                return (
                    f"{folder} holds EMNIST's {split}, of {classes} classes, and the model tells "
                    f"10 apart; put EMNIST's digits or its mnist in {right}, or MNIST in "
                    f"{root / MNIST_FOLDER}"
                )
    return None


def _hundred_classes(root: Path) -> str | None:
    for name in ("cifar-100-python", "cifar-100-binary"):
        archive = f"{name}.tar.gz"
        for place in (root / name, root / archive, root if root.name == name else None):
            if place is not None and place.exists():
                around = root.parent if place == root else root
                return (
                    f"{place} is CIFAR-100, of 100 classes, and the model tells 10 apart; put "
                    f"CIFAR-10 in {around / PICKLED_FOLDER}, or leave --data-dir out"
                )
    if (root / "cifar-10-binary.tar.gz").is_file():
        to = shlex.quote(str(root))
        return (
            f"{root} holds cifar-10-binary.tar.gz, still packed; unpack with: "
            f"tar -xzf {to}/cifar-10-binary.tar.gz -C {to}"
        )
    return None
