"""Data directories of many kinds: files of a known format are read, others get advice."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from advice import advice, follow, follow_for_archive, pack
from vramtop.protocol.lesson.settings import DatasetName
from vramtop.trainer.data import datasets, sources
from vramtop.trainer.data.datasets import DataError, Dataset
from vramtop.trainer.data.folders import MNIST_FILES

Mnist = dict[str, bytes]
Write = Callable[[Mnist], Path]
Idx = Callable[..., bytes]
MNIST_LABELS = ([5, 0, 4, 1, 9, 2, 1, 3, 1, 4], [7, 2, 1, 0, 4, 1, 4, 9, 5, 9])
FASHION_LABELS = ([9, 0, 0, 3, 0, 2, 7, 2, 5, 5], [9, 2, 1, 1, 6, 1, 4, 6, 5, 7])


def read(dataset: DatasetName, root: Path) -> Dataset:
    return datasets.load(sources.find(dataset, str(root), download=False))


def labelled(mnist: Mnist, idx: Idx, labels: tuple[list[int], list[int]]) -> Mnist:
    train, test = (np.array(part) for part in labels)
    longer = np.concatenate([train, train])
    return {
        **mnist,
        "train-labels-idx1-ubyte": idx(longer),
        "t10k-labels-idx1-ubyte": idx(test),
    }


# ---- MNIST's format -----------------------------------------------------------------------------


def test_names_with_dots_are_read(mnist: Mnist, write: Write) -> None:
    dotted = {name.replace("-idx", ".idx"): content for name, content in mnist.items()}
    dataset = read("mnist", write(dotted))
    assert dataset.train.inputs.numpy().tobytes() == mnist[MNIST_FILES[0]][16:]
    assert dataset.test.targets.tolist() == [*mnist[MNIST_FILES[3]][8:]]


@pytest.mark.parametrize("name", ["MNIST", "Fashion-MNIST"])
def test_files_are_named_by_their_first_labels_wherever_they_lie(
    name: str, mnist: Mnist, idx: Idx, write: Write
) -> None:
    labels = MNIST_LABELS if name == "MNIST" else FASHION_LABELS
    data = read("mnist", write(labelled(mnist, idx, labels))).data
    assert data.description == f"{name}, 20 images from files"
    assert data.classes[0] == ("0" if name == "MNIST" else "T-shirt/top")


def test_unknown_files_are_said_to_have_mnists_format(mnist_root: Path) -> None:
    assert read("mnist", mnist_root).data.description == "MNIST format, 20 images from files"


@pytest.mark.parametrize(
    ("folder", "name", "first"),
    [("FashionMNIST", "Fashion-MNIST", "T-shirt/top"), ("KMNIST", "KMNIST", "o")],
)
def test_files_of_mnists_format_are_named_by_torchvisions_folder(
    folder: str, name: str, first: str, mnist_root: Path
) -> None:
    (mnist_root / "MNIST").rename(mnist_root / folder)
    data = read("mnist", mnist_root).data
    assert data.description == f"{name}, 20 images from files"
    assert data.classes[0] == first
    assert len(data.classes) == 10


def test_mnist_comes_before_other_datasets_beside_it(mnist: Mnist, mnist_root: Path) -> None:
    other = mnist_root / "FashionMNIST" / "raw"
    other.mkdir(parents=True)
    for name, content in mnist.items():
        (other / name).write_bytes(content)
    assert read("mnist", mnist_root).data.description.startswith("MNIST format")
    (mnist_root / "MNIST" / "raw" / MNIST_FILES[0]).unlink()
    # A download of MNIST means MNIST itself.
    assert sources.find("mnist", str(mnist_root), download=True).kind == "download"


def test_a_damaged_file_is_reported_with_its_dataset(mnist_root: Path) -> None:
    (mnist_root / "MNIST").rename(mnist_root / "FashionMNIST")
    path = mnist_root / "FashionMNIST" / "raw" / MNIST_FILES[0]
    path.write_bytes(path.read_bytes()[:-1])
    assert advice("mnist", mnist_root).startswith(f"Fashion-MNIST in {path.parent} is damaged")


def test_packed_fashion_is_unpacked_by_the_advice(mnist_root: Path) -> None:
    (mnist_root / "MNIST").rename(mnist_root / "FashionMNIST")
    pack(mnist_root / "FashionMNIST" / "raw")
    follow(advice("mnist", mnist_root))
    assert read("mnist", mnist_root).data.description.startswith("Fashion-MNIST")


# ---- EMNIST -------------------------------------------------------------------------------------


def emnist(mnist: Mnist, split: str) -> Mnist:
    names = {"train": "train", "t10k": "test"}
    return {
        f"emnist-{split}-{names[name.partition('-')[0]]}-{name.partition('-')[2]}": content
        for name, content in mnist.items()
    }


def put(files: Mnist, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


@pytest.mark.parametrize(("split", "name"), [("digits", "Digits"), ("mnist", "MNIST")])
def test_emnists_digits_are_read_upright(
    split: str, name: str, mnist: Mnist, tmp_path: Path
) -> None:
    put(emnist(mnist, split), tmp_path / "EMNIST" / "raw")
    dataset = read("mnist", tmp_path)
    assert dataset.data.description == f"EMNIST {name}, 20 images from files"
    stored = np.frombuffer(mnist[MNIST_FILES[0]][16:], np.uint8).reshape(20, 28, 28)
    upright = torch.from_numpy(stored.transpose(0, 2, 1).copy()).flatten(1)
    assert torch.equal(dataset.train.inputs, upright)


@pytest.mark.parametrize(("split", "classes"), [("letters", 26), ("balanced", 47), ("byclass", 62)])
def test_emnist_with_more_classes_is_named(
    split: str, classes: int, mnist: Mnist, tmp_path: Path
) -> None:
    put(emnist(mnist, split), tmp_path / "EMNIST" / "raw")
    text = advice("mnist", tmp_path)
    assert f"EMNIST's {split}, of {classes} classes, and the model tells 10 apart" in text
    assert f"in {tmp_path}/EMNIST/raw" in text


def test_packed_emnist_is_unpacked_by_the_advice(mnist: Mnist, tmp_path: Path) -> None:
    put(emnist(mnist, "digits"), tmp_path / "my data")
    pack(tmp_path / "my data")
    follow(advice("mnist", tmp_path / "my data"))
    assert read("mnist", tmp_path / "my data").data.description.startswith("EMNIST Digits")


def test_emnist_beside_its_place_gets_advice(mnist: Mnist, tmp_path: Path) -> None:
    put(emnist(mnist, "mnist"), tmp_path)
    assert advice("mnist", tmp_path).endswith(f"they belong in {tmp_path}/EMNIST/raw")


# ---- CIFAR --------------------------------------------------------------------------------------


def record(label: int) -> bytes:
    return bytes([label, *(np.arange(3072) + label).astype(np.uint8)])


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    """CIFAR-10 as binary files: two images in each of five batches, three to test."""
    folder = tmp_path / "data" / "cifar-10-batches-bin"
    put({f"data_batch_{n}.bin": record(n) + record(n + 4) for n in range(1, 6)}, folder)
    put({"test_batch.bin": record(0) + record(3) + record(9)}, folder)
    return tmp_path / "data"


def test_binary_cifar10_is_read(binary: Path) -> None:
    assert sources.find("cifar10", str(binary), download=False).train_images == 10
    dataset = read("cifar10", binary)
    assert dataset.data.description == "CIFAR-10, 10 images from files"
    assert dataset.train.targets.tolist() == [1, 5, 2, 6, 3, 7, 4, 8, 5, 9]
    assert dataset.test.targets.tolist() == [0, 3, 9]
    assert dataset.train.inputs[1].tolist() == [(value + 5) % 256 for value in range(3072)]
    assert dataset.data.classes[:2] == ("airplane", "automobile")


def test_the_original_files_come_before_the_binary_ones(binary: Path, cifar_root: Path) -> None:
    (cifar_root / "cifar-10-batches-py").rename(binary / "cifar-10-batches-py")
    assert read("cifar10", binary).data.description == "CIFAR-10, 20 images from files"


def test_a_binary_file_that_was_cut_short_is_reported(binary: Path) -> None:
    path = binary / "cifar-10-batches-bin" / "data_batch_2.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"data_batch_2\.bin is 6,145 B long, no multiple of 3,073"):
        read("cifar10", binary)


@pytest.mark.parametrize("name", ["cifar-100-python", "cifar-100-binary"])
def test_cifar_100_is_named(name: str, tmp_path: Path) -> None:
    put({"train": b"", "test": b"", "meta": b""}, tmp_path / name)
    for root in (tmp_path, tmp_path / name):
        text = advice("cifar10", root)
        assert f"{tmp_path / name} is CIFAR-100, of 100 classes" in text
        assert f"put CIFAR-10 in {tmp_path}/cifar-10-batches-py" in text


def test_the_advice_for_the_binary_archive_unpacks_it(binary: Path, tmp_path: Path) -> None:
    other = tmp_path / "the archive"
    follow_for_archive(binary / "cifar-10-batches-bin", "cifar-10-binary.tar.gz", other)
    assert sources.find("cifar10", str(other), download=False).kind == "files"


@pytest.mark.parametrize(
    ("dataset", "inside"), [("mnist", "FashionMNIST/raw"), ("cifar10", "cifar-10-batches-bin")]
)
def test_a_folder_inside_is_answered_with_the_one_around_it(
    dataset: DatasetName, inside: str, mnist_root: Path, binary: Path
) -> None:
    root = mnist_root if dataset == "mnist" else binary
    if dataset == "mnist":
        (root / "MNIST").rename(root / "FashionMNIST")
    assert advice(dataset, root / inside).endswith(f"use --data-dir {shlex.quote(str(root))}")
