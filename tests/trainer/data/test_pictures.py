"""Single images: their tensors at each stage, from the file to the pixels shown."""

from __future__ import annotations

import pytest
import torch
from torchvision import transforms
from vramtop.protocol.lesson.settings import SettingError
from vramtop.trainer.data.batches import Batches, Normalisation
from vramtop.trainer.data.datasets import Dataset
from vramtop.trainer.data.pictures import Gallery, picture


def stored(dataset: Dataset, index: int) -> torch.Tensor:
    return dataset.train.inputs[index].view(dataset.data.shape)


@pytest.fixture(params=["sample", "synthetic"])
def dataset(request: pytest.FixtureRequest) -> Dataset:
    found: Dataset = request.getfixturevalue(request.param)
    return found


def test_an_mnist_image_takes_784_bytes_in_the_file_and_3136_for_the_model(
    sample: Dataset,
) -> None:
    stages = picture(sample, 0).stages
    assert [(stage.operation, stage.dtype, stage.shape, stage.bytes) for stage in stages] == [
        ("as stored", "uint8", (1, 28, 28), 784),
        ("ToTensor", "float32", (1, 28, 28), 3136),
        ("Normalize", "float32", (1, 28, 28), 3136),
        ("in a batch of 1", "float32", (1, 1, 28, 28), 3136),
        ("de-normalised", "uint8", (1, 28, 28), 784),
        ("permute(1, 2, 0)", "uint8", (28, 28, 1), 784),
    ]


def test_a_cifar10_image_has_its_channels_last_only_at_the_end(synthetic: Dataset) -> None:
    shown = picture(synthetic, 0)
    assert [stage.shape for stage in shown.stages] == [
        *[(3, 32, 32)] * 3,
        (1, 3, 32, 32),
        (3, 32, 32),
        (32, 32, 3),
    ]
    assert [stage.bytes for stage in shown.stages] == [3072, *[12_288] * 3, 3072, 3072]
    assert shown.source == "synthetic"
    drawn = torch.tensor(list(shown.pixels), dtype=torch.uint8).view(32, 32, 3)
    assert torch.equal(drawn.permute(2, 0, 1), stored(synthetic, 0))


def test_the_label_has_the_name_of_its_class(dataset: Dataset) -> None:
    for index in range(10):
        shown = picture(dataset, index)
        assert shown.label == dataset.train.targets[index]
        assert shown.class_name == dataset.data.classes[shown.label]


@pytest.mark.parametrize(("mean", "std"), [(0.1307, 0.3081), (0.5, 0.5)], ids=["mnist", "cifar10"])
def test_denormalising_gives_every_uint8_value_back(
    sample: Dataset, mean: float, std: float
) -> None:
    values = torch.arange(256, dtype=torch.uint8)
    lesson = Dataset(sample.train, sample.test, mean, std, sample.data)
    pixels = values.repeat(784 * 2).view(-1, 784)
    normalisation = Normalisation(lesson)
    restored = normalisation.undo(normalisation(pixels.to(torch.float32)))
    assert restored.dtype == torch.uint8
    assert torch.equal(restored.view_as(pixels), pixels)


def test_after_all_stages_the_image_is_as_stored(dataset: Dataset) -> None:
    for index in (0, 1, len(dataset.train) - 1):
        expected = stored(dataset, index).permute(1, 2, 0).flatten()
        assert list(picture(dataset, index).pixels) == expected.tolist()


def test_ranges_are_those_of_the_lessons_transforms(dataset: Dataset) -> None:
    channels = dataset.data.shape[0]
    image = stored(dataset, 3).permute(1, 2, 0).numpy()
    scaled = transforms.ToTensor()(image)
    normalised = transforms.Normalize((dataset.mean,) * channels, (dataset.std,) * channels)(scaled)
    stages = picture(dataset, 3).stages
    for stage, known in ((stages[1], scaled), (stages[2], normalised), (stages[3], normalised)):
        assert (stage.low, stage.high) == (known.min(), known.max())
        assert stage.mean == pytest.approx(float(known.double().mean()), rel=1e-12, abs=1e-15)


def test_the_dataset_stays_as_it_is(dataset: Dataset) -> None:
    before = dataset.train.inputs[:2].clone()
    picture(dataset, 0)
    assert torch.equal(dataset.train.inputs[:2], before)


def test_showing_images_changes_neither_the_random_state_nor_the_batches(sample: Dataset) -> None:
    gallery, batches, undisturbed = Gallery(), Batches(sample, 42), Batches(sample, 42)
    before = torch.get_rng_state()
    for _ in range(3):
        gallery.show(sample, None)
        assert torch.equal(batches.next(64).targets, undisturbed.next(64).targets)
    assert torch.equal(torch.get_rng_state(), before)


def test_images_come_one_after_another_and_the_first_after_the_last(sample: Dataset) -> None:
    gallery = Gallery()
    assert [gallery.show(sample, None).index for _ in range(3)] == [0, 1, 2]
    assert gallery.show(sample, 5999).index == 5999
    assert gallery.show(sample, None).index == 0


def test_another_dataset_begins_with_its_first_image(sample: Dataset, synthetic: Dataset) -> None:
    gallery = Gallery()
    gallery.show(sample, 7)
    assert gallery.show(synthetic, None).index == 0


@pytest.mark.parametrize("index", [-1, 6000])
def test_an_image_that_does_not_exist_is_refused_with_the_range_that_does(
    sample: Dataset, index: int
) -> None:
    with pytest.raises(SettingError, match=r"^there is no image .*; there are 0 to 5,999$"):
        Gallery().show(sample, index)
