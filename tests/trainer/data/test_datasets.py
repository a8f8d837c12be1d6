"""The images of the package (digits and drawings), and the library that loads them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import torch
from vramtop.protocol.lesson.messages import Data
from vramtop.protocol.lesson.settings import SettingError
from vramtop.trainer.data import drawings, sources
from vramtop.trainer.data.datasets import DataError, Dataset, Library

# ---- the sample ---------------------------------------------------------------------------------


def test_the_sample_has_as_many_images_of_every_digit(sample: Dataset) -> None:
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


def test_the_sample_is_described_as_what_it_is(sample: Dataset) -> None:
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


# ---- drawings -----------------------------------------------------------------------------------


def test_the_drawings_have_cifar10s_shape_types_and_number(synthetic: Dataset) -> None:
    assert synthetic.train.inputs.shape == (50_000, 3072)
    assert synthetic.test.inputs.shape == (10_000, 3072)
    assert synthetic.train.inputs.dtype == torch.uint8
    assert synthetic.train.targets.dtype == torch.int64


def test_there_are_as_many_drawings_of_every_kind(synthetic: Dataset) -> None:
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


def test_the_datas_description_survives_a_message(sample: Dataset, synthetic: Dataset) -> None:
    for data in (sample.data, synthetic.data):
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(data), type=Data) == data
