"""Real files are read to the byte, and damaged ones named."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from vramtop.protocol.lesson.settings import DatasetName
from vramtop.trainer.data import datasets, folders, sources
from vramtop.trainer.data.datasets import DataError, Dataset
from vramtop.trainer.data.sources import Source

Mnist = dict[str, bytes]
Write = Callable[[Mnist], Path]
Idx = Callable[..., bytes]


def load(dataset: DatasetName, root: Path) -> Dataset:
    return datasets.load(Source(dataset, "files", root, 20))


def complaint(dataset: DatasetName, root: Path) -> str:
    """The one line about files that cannot be used, with the folder and what to do."""
    with pytest.raises(DataError) as failure:
        load(dataset, root)
    text = str(failure.value)
    assert "\n" not in text
    assert str(sources.folder(dataset, root)) in text
    assert "--download" in text
    return text


# ---- MNIST's files ------------------------------------------------------------------------------


def test_mnist_files_are_read_to_the_byte(mnist: Mnist, mnist_root: Path) -> None:
    dataset = load("mnist", mnist_root)
    assert dataset.train.inputs.numpy().tobytes() == mnist["train-images-idx3-ubyte"][16:]
    assert dataset.test.inputs.numpy().tobytes() == mnist["t10k-images-idx3-ubyte"][16:]
    assert bytes(dataset.train.targets.tolist()) == mnist["train-labels-idx1-ubyte"][8:]
    assert bytes(dataset.test.targets.tolist()) == mnist["t10k-labels-idx1-ubyte"][8:]


def test_mnist_files_are_described_as_files(mnist_root: Path) -> None:
    data = load("mnist", mnist_root).data
    assert (data.source, data.train_images, data.test_images) == ("files", 20, 10)
    assert "20 images from files" in data.description


def _cut(content: bytes, _: Idx) -> bytes:
    return content[: len(content) // 2]


def _empty(_content: bytes, _: Idx) -> bytes:
    return b""


def _header_only(content: bytes, _: Idx) -> bytes:
    return content[:16]


def _noise(content: bytes, _: Idx) -> bytes:
    return b"<!DOCTYPE html><title>404</title>" + content[33:]


def _no_entries(content: bytes, idx: Idx) -> bytes:
    return idx(np.zeros((0, 28, 28) if content[3] == 3 else (0,)))


def _one_fewer(content: bytes, idx: Idx) -> bytes:
    shape = (9, 28, 28) if content[3] == 3 else (9,)
    return idx(np.zeros(shape))


def _longer(content: bytes, _: Idx) -> bytes:
    return content + bytes(7)


@pytest.mark.parametrize("name", folders.MNIST_FILES)
@pytest.mark.parametrize(
    "damage", [_cut, _empty, _header_only, _noise, _no_entries, _one_fewer, _longer]
)
def test_a_damaged_mnist_file_is_a_data_error(
    name: str, damage: Callable[[bytes, Idx], bytes], mnist: Mnist, idx: Idx, write: Write
) -> None:
    mnist[name] = damage(mnist[name], idx)
    assert name in complaint("mnist", write(mnist))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
        ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte"),
        ("train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"),
    ],
)
def test_swapped_mnist_files_are_a_data_error(
    one: str, other: str, mnist: Mnist, write: Write
) -> None:
    mnist[one], mnist[other] = mnist[other], mnist[one]
    assert one in complaint("mnist", write(mnist))


def test_images_and_labels_of_different_number_are_both_counted(
    mnist: Mnist, idx: Idx, write: Write
) -> None:
    mnist["train-labels-idx1-ubyte"] = idx(np.zeros(19))
    expected_text = (
        "train-images-idx3-ubyte holds 20 images, but train-labels-idx1-ubyte holds 19 labels"
    )
    assert expected_text in complaint("mnist", write(mnist))


def test_a_label_beyond_nine_is_reported(mnist: Mnist, idx: Idx, write: Write) -> None:
    mnist["t10k-labels-idx1-ubyte"] = idx(np.arange(1, 11))
    assert "test labels from 1 to 10, not 0 to 9" in complaint("mnist", write(mnist))


@pytest.mark.parametrize("shape", [(20, 20, 20), (20, 14, 56)])
def test_images_of_another_size_are_reported(
    shape: tuple[int, ...], mnist: Mnist, idx: Idx, write: Write
) -> None:
    mnist["train-images-idx3-ubyte"] = idx(np.zeros(shape))
    text = complaint("mnist", write(mnist))
    assert f"train-images-idx3-ubyte holds images of {shape[1]} × {shape[2]}, not 28 × 28" in text


def test_files_that_vanish_after_they_were_found_are_a_data_error(mnist_root: Path) -> None:
    source = sources.find("mnist", str(mnist_root), download=False)
    (mnist_root / "MNIST" / "raw" / "t10k-images-idx3-ubyte").unlink()
    with pytest.raises(DataError, match="t10k-images-idx3-ubyte"):
        datasets.load(source)


# ---- CIFAR-10's files ---------------------------------------------------------------------------


def test_cifar10_files_are_read_in_order_with_channels_first(cifar_root: Path) -> None:
    dataset = load("cifar10", cifar_root)
    assert dataset.train.inputs.shape == (20, 3072)
    assert dataset.test.inputs.shape == (6, 3072)
    assert dataset.train.inputs.is_contiguous()
    for number in range(1, 6):
        first = dataset.train.inputs[(number - 1) * 4]
        assert torch.equal(first, (torch.arange(3072) + number).to(torch.uint8))
    assert dataset.train.targets[:6].tolist() == [1, 2, 3, 4, 2, 3]
    assert dataset.test.targets.tolist() == [6, 7, 8, 9, 0, 1]


def test_cifar10_files_give_the_classes_their_names(cifar_root: Path) -> None:
    data = load("cifar10", cifar_root).data
    assert data.classes == tuple(f"kind {number}" for number in range(10))
    assert (data.source, data.shape) == ("files", (3, 32, 32))


@pytest.mark.parametrize("name", folders.CIFAR10_FILES)
def test_a_cifar10_file_with_a_wrong_checksum_is_a_data_error(name: str, cifar_root: Path) -> None:
    path = cifar_root / "cifar-10-batches-py" / name
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    text = complaint("cifar10", cifar_root)
    assert f"{name}, {path.stat().st_size:,} B, has not the MD5 checksum" in text
    assert "download=True" not in text


def test_every_cifar10_file_that_is_wrong_is_named(cifar_root: Path) -> None:
    folder = cifar_root / "cifar-10-batches-py"
    (folder / "data_batch_2").unlink()
    (folder / "test_batch").write_bytes(b"")
    text = complaint("cifar10", cifar_root)
    assert "data_batch_2 is missing, and test_batch, 0 B, has not" in text
    assert "batches.meta" not in text


@pytest.mark.parametrize("name", folders.CIFAR10_FILES)
def test_a_cifar10_file_that_was_cut_short_is_a_data_error(name: str, cifar_root: Path) -> None:
    path = cifar_root / "cifar-10-batches-py" / name
    path.write_bytes(path.read_bytes()[:20])
    assert name in complaint("cifar10", cifar_root)


def test_warnings_of_the_readers_are_not_shown(
    cifar_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        torchvision.datasets.CIFAR10,
        "_load_meta",
        lambda self: (setattr(self, "classes", ["a"]), warnings.warn("old pickle", stacklevel=1)),
    )
    assert load("cifar10", cifar_root).data.classes == ("a",)
