"""Where the images come from, decided from paths alone. No torch: the command line uses this."""

from __future__ import annotations

import os
import shlex
from math import prod
from pathlib import Path
from typing import Literal

import msgspec
from vramtop.protocol.lesson.settings import DatasetName, SettingError

from . import folders, idx
from .folders import BINARY_RECORD, CIFAR10_FILES, MNIST_FILES, MNIST_FOLDER, PICKLED_FOLDER, Layout

SAMPLE = Path(__file__).parents[1] / "sample"
SAMPLE_IMAGES = 6_000
TRAIN_IMAGES: dict[DatasetName, int] = {"mnist": 60_000, "cifar10": 50_000}
# Of an image: channels, height and width.
SHAPES: dict[DatasetName, tuple[int, int, int]] = {"mnist": (1, 28, 28), "cifar10": (3, 32, 32)}

CIFAR10_ARCHIVE = "cifar-10-python.tar.gz"
# Folders as torchvision lays them out below its root.
_FOLDERS: dict[DatasetName, str] = {"mnist": MNIST_FOLDER, "cifar10": PICKLED_FOLDER}
_FILES: dict[DatasetName, tuple[str, ...]] = {"mnist": MNIST_FILES, "cifar10": CIFAR10_FILES}


class Source(msgspec.Struct, frozen=True):
    """A dataset's origin; `root` is the data directory, None for a sample or drawn images.

    `train_images` is counted in MNIST's files, and assumed of CIFAR-10's.
    """

    dataset: DatasetName
    kind: Literal["files", "sample", "synthetic", "download"]
    root: Path | None
    train_images: int

    @property
    def pixels(self) -> int:
        """Values in an image, C·H·W."""
        return prod(SHAPES[self.dataset])


def find(dataset: DatasetName, data_dir: str | None, *, download: bool) -> Source:
    """The source of `dataset`: files below `data_dir`; without it, images that need no files.

    With `download`, missing files are fetched into `data_dir`, by default the user's cache. Raises
    `SettingError` where files are missing, unreadable or damaged.
    """
    if data_dir == "":
        raise SettingError("data directory is an empty name; use . for the current one")
    if data_dir is None and not download:
        if dataset == "mnist":
            return Source(dataset, "sample", None, SAMPLE_IMAGES)
        return Source(dataset, "synthetic", None, TRAIN_IMAGES[dataset])
    try:
        root = _cache() if data_dir is None else Path(data_dir).expanduser()
        return _below(root, dataset, download=download)
    except OSError as error:
        raise SettingError(f"{error.filename} cannot be read: {error.strerror}") from None
    except RuntimeError:
        if data_dir is None:
            raise SettingError("no home directory is known here; use --data-dir PATH") from None
        raise SettingError(f"data directory {data_dir}: no such home directory is known") from None


def where(dataset: DatasetName, root: Path) -> str:
    """Which files belong where, in one line."""
    return f"{', '.join(_FILES[dataset])} in {folder(dataset, root)}"


def folder(dataset: DatasetName, root: Path) -> Path:
    """The folder below `root` that holds the dataset's files."""
    return root / _FOLDERS[dataset]


def _below(root: Path, dataset: DatasetName, *, download: bool) -> Source:
    """The source in the folder `root`; raises `SettingError` with advice where there is none."""
    if root.exists() and not root.is_dir():
        raise SettingError(f"data directory {root} is not a directory")
    if root.exists() and not os.access(root, os.R_OK | os.X_OK):
        raise SettingError(f"data directory {root} cannot be read: no permission")
    layout = folders.find(dataset, root)
    # A download of MNIST means MNIST itself, even where Fashion-MNIST or KMNIST is there.
    own = layout is not None and (dataset != "mnist" or layout.folder == folder(dataset, root))
    if layout is not None and (own or not download):
        for path in layout.files:
            path.open("rb").close()
        return Source(dataset, "files", root, _count(layout))
    if download:
        return Source(dataset, "download", root, TRAIN_IMAGES[dataset])
    if not root.exists():
        raise SettingError(
            f"data directory {root} does not exist; use --download to fetch the files into it, "
            "or leave --data-dir out"
        )
    raise SettingError(_advice(dataset, root, folders.missing(dataset, folder(dataset, root))))


def _count(layout: Layout) -> int:
    """How many training images the files hold; raises `SettingError` for damaged headers."""
    if layout.form == "pickled":
        return TRAIN_IMAGES["cifar10"]
    if layout.form == "binary":
        return sum(path.stat().st_size for path in layout.files[:-1]) // BINARY_RECORD
    try:
        images = idx.count(*layout.files[:2])
        idx.count(*layout.files[2:])
    except ValueError as error:
        raise SettingError(
            f"{layout.name} in {layout.folder} is damaged: {error}; put the original file there, "
            "or remove it and use --download"
        ) from None
    return images


def _advice(dataset: DatasetName, root: Path, missing: list[str]) -> str:
    """One line for a folder without the files: what to do with the files that are there."""
    inside = folder(dataset, root)
    first = missing[0]
    levels = len(Path(_FOLDERS[dataset]).parts)
    for up, parent in enumerate((root, *root.absolute().parents)[: levels + 1]):
        own = (folder(dataset, parent) / first).is_file()
        if up and (own or folders.find(dataset, parent)):
            right = shlex.quote(str(parent))
            return f"{root} lies inside the data directory; use --data-dir {right}"
    to, archives = shlex.quote(str(inside)), f"{shlex.quote(str(root))}/*-ubyte.gz"
    for packed in (inside, root / "FashionMNIST" / "raw", root / "KMNIST" / "raw"):
        if (packed / f"{first}.gz").is_file():
            files = f"{shlex.quote(str(packed))}/*-ubyte.gz"
            return f"{packed} holds {first}.gz, still packed; unpack with: gunzip -kf {files}"
    if dataset == "mnist" and (root / f"{first}.gz").is_file():
        return (
            f"{root} holds {first}.gz, still packed; unpack with: mkdir -p {to} && "
            f"cp {archives} {to} && gunzip {to}/*-ubyte.gz"
        )
    if dataset == "cifar10" and (root / CIFAR10_ARCHIVE).is_file():
        place = shlex.quote(str(root))
        return (
            f"{root} holds {CIFAR10_ARCHIVE}, still packed; unpack with: "
            f"tar -xzf {place}/{CIFAR10_ARCHIVE} -C {place}"
        )
    if first not in folders.missing(dataset, root):
        return f"{root} holds the files themselves; they belong in {inside}"
    if text := folders.foreign(dataset, root):
        return text
    return (
        f"no {first} in {inside}; put {where(dataset, root)}, or use --download, "
        "or leave --data-dir out"
    )


def _cache() -> Path:
    """The user's cache, where downloads go without a data directory.

    Raises `RuntimeError` where no home directory is known.
    """
    from platformdirs import user_cache_path

    return user_cache_path("vramtop", appauthor=False)
