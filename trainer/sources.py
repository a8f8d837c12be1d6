"""Where the images come from, decided from paths alone. No torch: the command line asks first."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from . import idx
from .settings import DatasetName, SettingError

SAMPLE = Path(__file__).parent / "sample"
SAMPLE_IMAGES = 6_000
TRAIN_IMAGES: dict[DatasetName, int] = {"mnist": 60_000, "cifar10": 50_000}
PIXELS: dict[DatasetName, int] = {"mnist": 1 * 28 * 28, "cifar10": 3 * 32 * 32}

MNIST_FILES = tuple(
    f"{part}-{content}-ubyte"
    for part in ("train", "t10k")
    for content in ("images-idx3", "labels-idx1")
)
CIFAR10_FILES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta")
CIFAR10_ARCHIVE = "cifar-10-python.tar.gz"
# Folders as torchvision lays them out below its root.
_FOLDERS: dict[DatasetName, str] = {"mnist": "MNIST/raw", "cifar10": "cifar-10-batches-py"}
_FILES: dict[DatasetName, tuple[str, ...]] = {"mnist": MNIST_FILES, "cifar10": CIFAR10_FILES}


@dataclass(frozen=True)
class Source:
    """A dataset's origin; `root` is torchvision's, None for what ships or is drawn.

    `train_images` is what MNIST's files hold, and what CIFAR-10's should hold.
    """

    dataset: DatasetName
    kind: Literal["files", "sample", "synthetic", "download"]
    root: Path | None
    train_images: int

    @property
    def pixels(self) -> int:
        """Values in an image, C·H·W."""
        return PIXELS[self.dataset]


def find(dataset: DatasetName, data_dir: str | None, *, download: bool) -> Source:
    """The source of `dataset`: files below `data_dir`, or what needs no files without it.

    With `download`, a folder that lacks the files is one to fetch them into; without `data_dir` it
    is the user's cache. Raises `SettingError` where the files are not, cannot be read, or are not
    what they should be.
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
    """The source in the folder `root`, or advice on what would make it one."""
    if root.exists() and not root.is_dir():
        raise SettingError(f"data directory {root} is not a directory")
    if root.exists() and not os.access(root, os.R_OK | os.X_OK):
        raise SettingError(f"data directory {root} cannot be read: no permission")
    inside = folder(dataset, root)
    missing = [name for name in _FILES[dataset] if not (inside / name).is_file()]
    if not missing:
        for name in _FILES[dataset]:
            (inside / name).open("rb").close()
        images = _digits(inside) if dataset == "mnist" else TRAIN_IMAGES[dataset]
        return Source(dataset, "files", root, images)
    if download:
        return Source(dataset, "download", root, TRAIN_IMAGES[dataset])
    if not root.exists():
        raise SettingError(
            f"data directory {root} does not exist; use --download to fetch the files into it, "
            "or leave --data-dir out"
        )
    raise SettingError(_advice(dataset, root, missing))


def _digits(inside: Path) -> int:
    """How many training images MNIST's files hold, once all four have been looked at."""
    try:
        images = idx.count(inside, "train")
        idx.count(inside, "t10k")
    except ValueError as error:
        raise SettingError(
            f"MNIST in {inside} is damaged: {error}; put the original file there, or remove it and "
            "use --download"
        ) from None
    return images


def _advice(dataset: DatasetName, root: Path, missing: list[str]) -> str:
    """One line for a folder that lacks files: what to do with what lies there instead."""
    inside = folder(dataset, root)
    first = missing[0]
    levels = len(Path(_FOLDERS[dataset]).parts)
    for up, parent in enumerate((root, *root.absolute().parents)[: levels + 1]):
        if up and (folder(dataset, parent) / first).is_file():
            right = shlex.quote(str(parent))
            return f"{root} lies inside the data directory; use --data-dir {right}"
    to, archives = shlex.quote(str(inside)), f"{shlex.quote(str(root))}/*-ubyte.gz"
    if (inside / f"{first}.gz").is_file():
        return f"{inside} holds {first}.gz, still packed; unpack with: gunzip -kf {to}/*-ubyte.gz"
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
    if (root / first).is_file():
        return f"{root} holds the files themselves; they belong in {inside}"
    return (
        f"no {first} in {inside}; put {where(dataset, root)}, or use --download, "
        "or leave --data-dir out"
    )


def _cache() -> Path:
    """Where downloads go unless told otherwise; a relative XDG_CACHE_HOME counts as none."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "vramtop"
