"""Steps that accumulate several batches: a large batch's gradient in a small batch's memory."""

from dataclasses import replace

import msgspec
import pytest
import torch
from vramtop.protocol.lesson.checks import check
from vramtop.protocol.lesson.settings import SettingError, Settings, parse_accumulation
from vramtop.trainer.data.datasets import Images
from vramtop.trainer.fitting.predictor import predict
from vramtop.trainer.training.training import Training
from vramtop.trainer.training.watcher import Unwatched

CPU = torch.device("cpu")
P, W = 407_080, 401_408  # bytes of all parameters, and of the first weight
IMAGE = 4 * 784 + 8


@pytest.fixture(scope="module")
def few(sample):
    """100 of the digits."""
    return replace(sample, train=Images(sample.train.inputs[:100], sample.train.targets[:100]))


def settled(dataset, optimizer, batch_size, accumulation):
    training = Training(Settings(optimizer=optimizer), dataset, CPU)
    for _ in range(2):
        training.batches.seek(1, 0)
        recording = training.ledger.record()
        training.step(batch_size, recording, accumulation)
    return recording.anatomy()


# ---- bytes --------------------------------------------------------------------------------------

STATE = {"sgd": 0, "momentum": P, "adam": 2 * P + 16, "adamw": 2 * P + 16}
SETTINGS = [(1, 2), (16, 4), (64, 2), (64, 16), (256, 3), (1024, 4), (2000, 3)]


@pytest.mark.parametrize("optimizer", STATE)
@pytest.mark.parametrize(("b", "times"), SETTINGS)
def test_boundaries_and_peak_follow_closed_forms(sample, optimizer, b, times):
    """Gradients stay while batches add up, and each new one is made beside the sum so far."""
    anatomy = settled(sample, optimizer, b, times)
    kept = P + STATE[optimizer]
    # The mean loss so far; in forward also this batch's loss, plain and weighted.
    assert {phase: split.total - kept for phase, split in anatomy.boundaries.items()} == {
        "load": P + 4 + IMAGE * b,
        "forward": P + 4 + IMAGE * b + 592 * b + 8,
        "backward": P + 4 + IMAGE * b + 40 * b + 4,
        "optimizer": P + 4 + IMAGE * b + 40 * b + 4,
        "zero_grad": 4 + IMAGE * b + 40 * b + 4,
    }
    makes = 2 * W if optimizer in ("adam", "adamw") else 0
    assert anatomy.peak.bytes - kept - IMAGE * b == max(
        1_576 * b + 5_168,  # the first batch has no gradients beside it
        P + 1_576 * b + 12,
        P + W + 552 * b + 524,  # the first layer's new gradients, before they are added
        P + 40 * b + 8 + makes,
    )
    high = anatomy.high_water
    assert (high.gradients, high.batch_data) == (P, IMAGE * b)
    assert high.activations == 512 * b + 80 * b + 12


@pytest.mark.parametrize(("b", "times"), SETTINGS)
def test_its_memory_is_predicted_whole(sample, b, times):
    settings = Settings(batch_size=b, accumulation=times)
    predicted = predict(settings, (1, 28, 28), "cpu", None).anatomy
    assert predicted == settled(sample, "adam", b, times)


def test_more_batches_take_no_more_memory(sample):
    few, many = (settled(sample, "adam", 64, times) for times in (2, 16))
    assert few.high_water == many.high_water
    assert few.peak == many.peak


def test_a_phase_comes_as_often_as_there_are_batches(sample):
    phases = [moment.phase for moment in settled(sample, "sgd", 64, 3).curve]
    ends = [a for a, b in zip(phases, [*phases[1:], None], strict=True) if a != b]
    assert ends == ["load", "forward", "backward"] * 3 + ["zero_grad"]


# ---- learning -----------------------------------------------------------------------------------


def gradients(dataset, batch_size, accumulation, start=0):
    """The gradients that the optimizer gets, in float64, and the loss that the step returns."""
    training = Training(Settings(optimizer="sgd"), dataset, CPU)
    training.model.double()
    training.model.register_forward_pre_hook(lambda _, inputs: inputs[0].double())
    training.batches.seek(1, start)
    seen = []
    training.optimizer.register_step_pre_hook(
        lambda *_: seen.extend(p.grad.clone() for p in training.model.parameters())
    )
    loss = training.step(batch_size, Unwatched(), accumulation)
    return seen, loss, training


@pytest.mark.parametrize(("batch_size", "times", "start"), [(20, 5, 0), (10, 3, 0), (40, 2, 50)])
def test_the_gradients_are_those_of_the_batch_that_they_add_up_to(few, batch_size, times, start):
    """Also at an epoch's end, where 50 images are left and the last batch has only 10."""
    added, loss, training = gradients(few, batch_size, times, start)
    whole, whole_loss, other = gradients(few, batch_size * times, 1, start)
    torch.testing.assert_close(added, whole, rtol=1e-11, atol=1e-14)
    torch.testing.assert_close(loss, whole_loss, rtol=1e-12, atol=0)
    assert training.progress == other.progress
    assert (training.epoch, training.position) == (other.epoch, other.position)


def test_an_epoch_takes_each_image_once(few):
    training = Training(Settings(), few, CPU)
    taken = []
    while not training.epoch_ended:
        before = training.progress.images
        training.step(16, Unwatched(), 3)
        taken.append(training.progress.images - before)
    assert taken == [48, 48, 4]


def test_a_single_batch_has_no_weight(few):
    """A weight would round the loss once more."""
    loss = gradients(few, 64, 1)[1]
    training = Training(Settings(), few, CPU)
    batch = training.batches.ahead(64)
    model = training.model.double()
    assert loss == training.criterion(model(batch.inputs.double()), batch.targets).detach()


# ---- the setting --------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["0", "257", "-1", "two", "", "1.5"])
def test_wrong_numbers_are_refused_in_one_line(text):
    with pytest.raises(SettingError, match="accumulation is a whole number from 1 to 256") as error:
        parse_accumulation(text)
    assert "\n" not in str(error.value)


def test_a_step_takes_no_more_images_than_there_are():
    settings = Settings(batch_size=64, accumulation=93)
    check(settings, pixels=784, images=6000)
    more = msgspec.structs.replace(settings, accumulation=94)
    with pytest.raises(SettingError, match="from 1 to 93 where batches are 64 of 6,000 images"):
        check(more, pixels=784, images=6000)
