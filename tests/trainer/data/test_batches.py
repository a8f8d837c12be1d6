"""Batches whose size may change at any time."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision import transforms
from vramtop.protocol.lesson.messages import Data
from vramtop.trainer.data.batches import Batches, in_order
from vramtop.trainer.data.datasets import Dataset, Images

IMAGES = 23
SIZES = st.lists(st.integers(1, IMAGES + 5), min_size=1, max_size=40)
SEEDS = st.integers(0, 2**63 - 1)


def dataset(
    inputs: torch.Tensor,
    shape: tuple[int, int, int],
    mean: float = 0.5,
    std: float = 0.5,
) -> Dataset:
    """A dataset of these uint8 images, (N, C·H·W), for training and test; labels count from 0."""
    images = Images(inputs, torch.arange(len(inputs)))
    data = Data("files", "for tests", len(inputs), len(inputs), shape, ())
    return Dataset(images, images, mean, std, data)


def numbered(count: int = IMAGES) -> Dataset:
    """Images of four pixels, each filled with the image's number."""
    numbers = torch.arange(count, dtype=torch.uint8).unsqueeze(1)
    return dataset(numbers.expand(-1, 4).contiguous(), (1, 2, 2))


def taken(batches: Batches, sizes: list[int]) -> list[int]:
    """The numbers of the images that come in batches of these sizes, within one epoch."""
    epoch, numbers = batches.epoch, []
    for size in sizes:
        if batches.epoch == epoch:
            numbers += batches.next(size).targets.tolist()
    while batches.epoch == epoch:
        numbers += batches.next(1).targets.tolist()
    return numbers


@pytest.fixture(params=[0, 2**40], ids=["batch by batch", "all at once"])
def normalised(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images are normalised batch by batch, or all at once beforehand."""
    monkeypatch.setattr("vramtop.trainer.data.batches._NORMALISED_BYTES", request.param)


# ---- any sequence of batch sizes ----------------------------------------------------------------


@given(SIZES, SEEDS)
def test_an_epoch_has_every_image_exactly_once(sizes: list[int], seed: int) -> None:
    assert sorted(taken(Batches(numbered(), seed), sizes)) == list(range(IMAGES))


@given(SIZES, SIZES, SEEDS)
def test_the_order_does_not_depend_on_the_batch_sizes(
    sizes: list[int], others: list[int], seed: int
) -> None:
    one, other = Batches(numbered(), seed), Batches(numbered(), seed)
    assert taken(one, sizes) == taken(other, others)
    assert taken(one, others) == taken(other, sizes)


@given(SIZES, SEEDS)
def test_position_remaining_and_epoch_follow_every_batch(sizes: list[int], seed: int) -> None:
    batches = Batches(numbered(), seed)
    images = 0
    for size in sizes:
        assert (batches.epoch, batches.position) == (1 + images // IMAGES, images % IMAGES)
        assert batches.remaining == IMAGES - batches.position
        rows = min(size, batches.remaining)
        assert len(batches.next(size).targets) == rows
        images += rows


@given(SIZES, SEEDS)
def test_inputs_and_targets_stay_together(sizes: list[int], seed: int) -> None:
    batches = Batches(numbered(), seed)
    for size in sizes:
        batch = batches.next(size)
        pixels = batch.targets.to(torch.uint8).float().div(255).sub(0.5).div(0.5)
        assert torch.equal(batch.inputs, pixels.view(-1, 1, 1, 1).expand(-1, 1, 2, 2))


@given(SIZES, SEEDS)
def test_seeking_goes_on_as_if_never_interrupted(sizes: list[int], seed: int) -> None:
    gone, sought = Batches(numbered(), seed), Batches(numbered(), seed)
    for size in sizes:
        gone.next(size)
    sought.seek(gone.epoch, gone.position)
    assert sought.next(IMAGES).targets.tolist() == gone.next(IMAGES).targets.tolist()
    assert sought.next(IMAGES).targets.tolist() == gone.next(IMAGES).targets.tolist()


# ---- order --------------------------------------------------------------------------------------


def test_an_epochs_last_batch_is_short() -> None:
    batches = Batches(numbered(), seed=1)
    assert [len(batches.next(10).targets) for _ in range(4)] == [10, 10, 3, 10]


def test_a_batch_larger_than_the_data_is_the_whole_epoch() -> None:
    batches = Batches(numbered(), seed=1)
    assert len(batches.next(1_000_000).targets) == IMAGES
    assert (batches.epoch, batches.position) == (2, 0)


def test_every_epoch_and_every_seed_has_an_order_of_its_own() -> None:
    orders = set()
    for seed in (0, 1, 42):
        batches = Batches(numbered(), seed)
        orders |= {tuple(taken(batches, [IMAGES])) for _ in range(5)}
    assert len(orders) == 15


def test_the_same_seed_gives_the_same_order_and_leaves_torchs_own_state_alone() -> None:
    before = torch.get_rng_state()
    orders = []
    for disturbance in (1, 2):
        batches = Batches(numbered(), seed=42)
        orders.append(taken(batches, [7]))
        assert torch.equal(torch.get_rng_state(), before)
        torch.manual_seed(disturbance)
        before = torch.get_rng_state()
    assert orders[0] == orders[1]


# ---- values -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("normalised")
@pytest.mark.parametrize(
    ("channels", "mean", "std"), [(1, 0.1307, 0.3081), (3, 0.5, 0.5)], ids=["mnist", "cifar10"]
)
def test_every_value_is_that_of_torchvisions_transforms_to_the_bit(
    channels: int, mean: float, std: float
) -> None:
    """An image with all 256 values in every channel, in a different order in each."""
    order = torch.Generator().manual_seed(0)
    planes = [torch.randperm(256, generator=order) for _ in range(channels)]
    image = torch.stack(planes).to(torch.uint8).view(channels, 16, 16)
    known = transforms.Compose(
        [transforms.ToTensor(), transforms.Normalize((mean,) * channels, (std,) * channels)]
    )(image.permute(1, 2, 0).numpy())
    images = dataset(image.view(1, -1), (channels, 16, 16), mean, std)
    for batch in (Batches(images, seed=0).next(1), *in_order(images, images.test, 1)):
        assert batch.inputs.dtype == torch.float32
        assert torch.equal(batch.inputs[0], known)


def test_the_datasets_own_normalisation_is_the_lessons(sample: Dataset, synthetic: Dataset) -> None:
    assert (sample.mean, sample.std) == (0.1307, 0.3081)
    assert (synthetic.mean, synthetic.std) == (0.5, 0.5)


# ---- memory -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("normalised")
@pytest.mark.parametrize("size", [1, 64, 1024])
def test_a_batch_takes_4_bytes_a_value_and_8_a_target(sample: Dataset, size: int) -> None:
    for batch in (Batches(sample, 0).next(size), next(in_order(sample, sample.train, size))):
        assert batch.inputs.shape == (size, 1, 28, 28)
        assert batch.inputs.is_contiguous()
        assert batch.inputs.untyped_storage().nbytes() == 4 * 784 * size
        assert batch.targets.dtype == torch.int64
        assert batch.targets.untyped_storage().nbytes() == 8 * size


@pytest.mark.usefixtures("normalised")
def test_a_batch_shares_no_memory_with_anything_else() -> None:
    images = numbered()
    batches = Batches(images, seed=0)
    first = batches.next(5)
    again = Batches(images, seed=0)
    first.inputs.zero_()
    first.targets.zero_()
    batches.next(5)
    assert not first.inputs.any()
    assert again.next(5).targets.any()
    next(in_order(images, images.test, IMAGES)).targets.zero_()
    assert images.test.targets.tolist() == list(range(IMAGES))


@pytest.mark.usefixtures("normalised")
def test_a_model_can_learn_from_a_batch() -> None:
    """Backward would refuse tensors made under inference mode."""
    weight = torch.ones(4, requires_grad=True)
    (Batches(numbered(), seed=0).next(4).inputs.flatten(1) @ weight).sum().backward()
    assert weight.grad is not None


# ---- evaluation ---------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 10, IMAGES, 1000])
def test_evaluation_sees_every_image_once_and_in_order(size: int) -> None:
    images = numbered()
    batches = list(in_order(images, images.test, size))
    assert [len(batch.targets) for batch in batches[:-1]] == [size] * (len(batches) - 1)
    assert torch.cat([batch.targets for batch in batches]).tolist() == list(range(IMAGES))
    assert torch.equal(
        torch.cat([batch.inputs for batch in batches]),
        next(in_order(images, images.test, IMAGES)).inputs,
    )
