"""Datasets to test with: those of the package, loaded once, and small ones in the original files.

Lets these tests share `driven.py` too: pytest's importlib mode puts no folder on the path.
"""

from __future__ import annotations

import hashlib
import pickle
import struct
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torchvision
from hypothesis import settings
from vramtop.trainer.data.datasets import Dataset, Images, Library

sys.path.insert(0, str(Path(__file__).parent))

Mnist = dict[str, bytes]

# A slow example on a busy machine is not a failure.
settings.register_profile("vramtop", deadline=None)
settings.load_profile("vramtop")


@pytest.fixture(scope="session")
def library() -> Library:
    return Library(None)


@pytest.fixture(scope="session")
def sample(library: Library) -> Dataset:
    return library.load("mnist")


@pytest.fixture(scope="session")
def few(sample: Dataset) -> Dataset:
    """600 digits to train on, and one to evaluate."""
    train, test = sample.train, sample.test
    return replace(
        sample,
        train=Images(train.inputs[:600], train.targets[:600]),
        test=Images(test.inputs[:1], test.targets[:1]),
    )


@pytest.fixture(scope="session")
def synthetic(library: Library) -> Dataset:
    return library.load("cifar10")


@pytest.fixture
def idx() -> Callable[..., bytes]:
    """An IDX file of unsigned bytes."""

    def file(values: np.ndarray) -> bytes:
        shape = struct.pack(f">{values.ndim}I", *values.shape)
        return bytes([0, 0, 8, values.ndim]) + shape + values.astype(np.uint8).tobytes()

    return file


@pytest.fixture
def mnist(idx: Callable[..., bytes]) -> Mnist:
    """The four files, by name, of 20 training and 10 test images of random pixels."""
    random = np.random.default_rng(0)
    files = {}
    for part, count in (("train", 20), ("t10k", 10)):
        files[f"{part}-images-idx3-ubyte"] = idx(random.integers(0, 256, (count, 28, 28)))
        files[f"{part}-labels-idx1-ubyte"] = idx(np.arange(count) % 10)
    return files


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Mnist], Path]:
    """A function that writes files in MNIST's layout and returns the data directory."""

    def lay_out(files: Mnist) -> Path:
        root = tmp_path / "my data"
        raw = root / "MNIST" / "raw"
        raw.mkdir(parents=True)
        for name, content in files.items():
            (raw / name).write_bytes(content)
        return root

    return lay_out


@pytest.fixture
def mnist_root(mnist: Mnist, write: Callable[[Mnist], Path]) -> Path:
    return write(mnist)


@pytest.fixture
def cifar_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """CIFAR-10's own layout: 4 images in each of five batches, 6 in the test batch.

    Pixel values count up from the batch's number, channel after channel, row after row.
    """
    root = tmp_path / "photographs"
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)

    def dump(name: str, content: object) -> str:
        old = pickle.dumps(content, protocol=2)
        # The original files are older than NumPy's `_core`, and their dtypes are dtype(…, 0, 1).
        old = old.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
        old = old.replace(b"\x89\x88\x87", b"K\x00K\x01\x87")
        (folder / name).write_bytes(old)
        return hashlib.md5(old).hexdigest()

    def batch(number: int, count: int) -> dict[str, object]:
        pixels = (np.arange(count * 3072) + number).astype(np.uint8).reshape(count, 3072)
        return {"data": pixels, "labels": [(number + image) % 10 for image in range(count)]}

    cifar10 = torchvision.datasets.CIFAR10
    train = [[f"data_batch_{n}", dump(f"data_batch_{n}", batch(n, 4))] for n in range(1, 6)]
    monkeypatch.setattr(cifar10, "train_list", train)
    monkeypatch.setattr(cifar10, "test_list", [["test_batch", dump("test_batch", batch(6, 6))]])
    names = {"label_names": [f"kind {number}" for number in range(10)]}
    monkeypatch.setattr(cifar10, "meta", {**cifar10.meta, "md5": dump("batches.meta", names)})
    return root
