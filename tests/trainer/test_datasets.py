"""Loading: what ships, real files, and what is said of damaged ones."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
import torchvision
from vramtop.trainer import datasets, download, drawings, sources
from vramtop.trainer.datasets import DataError, Dataset, Library
from vramtop.trainer.protocol import Data
from vramtop.trainer.settings import DatasetName, SettingError
from vramtop.trainer.sources import Source

Mnist = dict[str, bytes]
Write = Callable[[Mnist], Path]
Idx = Callable[..., bytes]


def load(dataset: DatasetName, root: Path) -> Dataset:
    return datasets.load(Source(dataset, "files", root, 20))


def complaint(dataset: DatasetName, root: Path) -> str:
    """What is said of files that cannot be used: one line with the folder and what to do."""
    with pytest.raises(DataError) as failure:
        load(dataset, root)
    text = str(failure.value)
    assert "\n" not in text
    assert str(sources.folder(dataset, root)) in text
    assert "--download" in text
    return text


# ---- the sample ---------------------------------------------------------------------------------


def test_the_sample_has_each_digit_as_often_as_any_other(sample: Dataset) -> None:
    assert torch.equal(sample.train.targets.bincount(), torch.full((10,), 600))
    assert torch.equal(sample.test.targets.bincount(), torch.full((10,), 100))


def test_the_sample_is_uint8_images_and_int64_labels(sample: Dataset) -> None:
    assert sample.train.inputs.dtype == sample.test.inputs.dtype == torch.uint8
    assert sample.train.targets.dtype == sample.test.targets.dtype == torch.int64
    assert sample.train.inputs.shape == (6_000, 784)
    assert sample.test.inputs.shape == (1_000, 784)
    assert sample.train.inputs.is_contiguous()


def test_the_sample_has_the_brightness_of_mnist(sample: Dataset) -> None:
    """The lesson's mean and standard deviation are those of the 60,000 images."""
    scaled = sample.train.inputs.double() / 255
    assert scaled.mean().item() == pytest.approx(sample.mean, abs=0.003)
    assert scaled.std().item() == pytest.approx(sample.std, abs=0.003)


def test_the_sample_says_what_it_is(sample: Dataset) -> None:
    assert sample.data.source == "sample"
    assert "6,000 of 60,000 real digits" in sample.data.description
    assert (sample.data.train_images, sample.data.test_images) == (6_000, 1_000)
    assert sample.data.shape == (1, 28, 28)
    assert sample.data.classes == tuple("0123456789")
    assert sample.pixels == 784


def test_the_sample_is_as_large_as_promised_before_loading(sample: Dataset) -> None:
    promised = sources.find("mnist", None, download=False)
    assert (promised.train_images, promised.pixels) == (len(sample.train), sample.pixels)


def test_the_sample_takes_at_most_a_megabyte_and_a_half_and_names_its_licence() -> None:
    assert sum(path.stat().st_size for path in sources.SAMPLE.iterdir()) <= 1.5 * 2**20
    licence = (sources.SAMPLE / "LICENSE").read_text()
    for word in ("LeCun", "Cortes", "Burges", "CC BY-SA 3.0"):
        assert word in licence


def test_a_sample_that_cannot_be_unpacked_is_a_data_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in sources.SAMPLE.glob("*.gz"):
        (tmp_path / path.name).write_bytes(path.read_bytes()[:-500])
    monkeypatch.setattr(sources, "SAMPLE", tmp_path)
    with pytest.raises(DataError, match="the sample that ships cannot be unpacked"):
        Library(None).load("mnist")


# ---- MNIST's files ------------------------------------------------------------------------------


def test_mnist_files_are_read_to_the_byte(mnist: Mnist, mnist_root: Path) -> None:
    dataset = load("mnist", mnist_root)
    assert dataset.train.inputs.numpy().tobytes() == mnist["train-images-idx3-ubyte"][16:]
    assert dataset.test.inputs.numpy().tobytes() == mnist["t10k-images-idx3-ubyte"][16:]
    assert bytes(dataset.train.targets.tolist()) == mnist["train-labels-idx1-ubyte"][8:]
    assert bytes(dataset.test.targets.tolist()) == mnist["t10k-labels-idx1-ubyte"][8:]


def test_mnist_files_say_that_they_are_files(mnist_root: Path) -> None:
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


@pytest.mark.parametrize("name", sources.MNIST_FILES)
@pytest.mark.parametrize(
    "damage", [_cut, _empty, _header_only, _noise, _no_entries, _one_fewer, _longer]
)
def test_a_damaged_mnist_file_is_a_data_error(
    name: str, damage: Callable[[bytes, Idx], bytes], mnist: Mnist, idx: Idx, write: Write
) -> None:
    mnist[name] = damage(mnist[name], idx)
    complaint("mnist", write(mnist))


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
    complaint("mnist", write(mnist))


def test_images_and_labels_of_different_number_are_both_counted(
    mnist: Mnist, idx: Idx, write: Write
) -> None:
    mnist["train-labels-idx1-ubyte"] = idx(np.zeros(19))
    told = "train-images-idx3-ubyte holds 20 images, but train-labels-idx1-ubyte holds 19 labels"
    assert told in complaint("mnist", write(mnist))


def test_a_label_beyond_nine_is_told(mnist: Mnist, idx: Idx, write: Write) -> None:
    mnist["t10k-labels-idx1-ubyte"] = idx(np.arange(1, 11))
    assert "test labels from 1 to 10, not 0 to 9" in complaint("mnist", write(mnist))


@pytest.mark.parametrize("shape", [(20, 20, 20), (20, 14, 56)])
def test_images_of_another_size_are_told(
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


@pytest.mark.parametrize("name", sources.CIFAR10_FILES)
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


@pytest.mark.parametrize("name", sources.CIFAR10_FILES)
def test_a_cifar10_file_that_was_cut_short_is_a_data_error(name: str, cifar_root: Path) -> None:
    path = cifar_root / "cifar-10-batches-py" / name
    path.write_bytes(path.read_bytes()[:20])
    complaint("cifar10", cifar_root)


def test_what_the_readers_warn_of_stays_with_them(
    cifar_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        torchvision.datasets.CIFAR10,
        "_load_meta",
        lambda self: (setattr(self, "classes", ["a"]), warnings.warn("old pickle", stacklevel=1)),
    )
    assert load("cifar10", cifar_root).data.classes == ("a",)


# ---- drawings -----------------------------------------------------------------------------------


def test_the_drawings_have_cifar10s_shape_types_and_number(synthetic: Dataset) -> None:
    assert synthetic.train.inputs.shape == (50_000, 3072)
    assert synthetic.test.inputs.shape == (10_000, 3072)
    assert synthetic.train.inputs.dtype == torch.uint8
    assert synthetic.train.targets.dtype == torch.int64


def test_the_drawings_come_as_often_in_every_kind(synthetic: Dataset) -> None:
    assert torch.equal(synthetic.train.targets.bincount(), torch.full((10,), 5_000))
    assert torch.equal(synthetic.test.targets.bincount(), torch.full((10,), 1_000))


def test_the_drawings_are_labelled_synthetic(synthetic: Dataset) -> None:
    assert synthetic.data.source == "synthetic"
    assert "synthetic" in synthetic.data.description
    assert synthetic.data.classes == drawings.KINDS
    assert not {"airplane", "automobile", "bird", "cat", "deer"} & set(drawings.KINDS)
    assert not {"dog", "frog", "horse", "ship", "truck"} & set(drawings.KINDS)


def test_the_drawings_are_the_same_whatever_the_seed_and_leave_it_alone(
    synthetic: Dataset,
) -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    (inputs, kinds), _ = drawings.draw()
    assert torch.equal(inputs.flatten(1), synthetic.train.inputs)
    assert torch.equal(kinds, synthetic.train.targets)
    assert torch.equal(torch.get_rng_state(), before)


def test_no_two_drawings_are_alike(synthetic: Dataset) -> None:
    assert len(synthetic.test.inputs[:2_000].unique(dim=0)) == 2_000


# ---- the library --------------------------------------------------------------------------------


def test_a_dataset_is_loaded_only_once(library: Library, sample: Dataset) -> None:
    assert library.load("mnist") is sample


def test_a_data_directory_without_the_dataset_is_a_setting_error(mnist_root: Path) -> None:
    library = Library(str(mnist_root))
    assert len(library.load("mnist").train) == 20
    with pytest.raises(SettingError, match="data_batch_1"):
        library.load("cifar10")


def test_what_is_said_of_the_data_travels_in_messages(sample: Dataset, synthetic: Dataset) -> None:
    for data in (sample.data, synthetic.data):
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(data), type=Data) == data


# ---- downloads, refused -------------------------------------------------------------------------

_REFUSED = "http://127.0.0.1:1/"  # nobody listens there


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No mirror answers, and no proxy stands in for one."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [_REFUSED])
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "url", _REFUSED + "cifar.tar.gz")


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("dataset", ["mnist", "cifar10"])
def test_a_refused_download_says_in_one_line_which_files_belong_where(
    dataset: DatasetName, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text = download.download(dataset, tmp_path)
    assert text is not None
    assert "\n" not in text
    assert "Connection refused" in text
    assert sources.where(dataset, tmp_path) in text
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("dataset", ["mnist", "cifar10"])
def test_a_refused_download_leaves_only_what_was_there(
    dataset: DatasetName, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    assert download.download(dataset, tmp_path / "mine" / "new" / "data") is not None
    assert list(tmp_path.rglob("*")) == [tmp_path / "mine"]


@pytest.mark.usefixtures("offline")
def test_what_is_there_already_is_not_downloaded(mnist_root: Path) -> None:
    assert download.download("mnist", mnist_root) is None


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    text = download.download("mnist", tmp_path / "file" / "data")
    assert text is not None
    assert "Not a directory" in text
