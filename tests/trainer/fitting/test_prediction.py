"""Predictions beside measurements, to the byte, on the host."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from vramtop.protocol.lesson.settings import (
    DATASETS,
    OPTIMIZERS,
    DatasetName,
    OptimizerName,
    Settings,
)
from vramtop.protocol.split import Anatomy
from vramtop.trainer.data.datasets import Library
from vramtop.trainer.data.sources import SHAPES
from vramtop.trainer.fitting import predictor
from vramtop.trainer.fitting.predictor import Predictor, predict
from vramtop.trainer.training.training import Training

CPU = torch.device("cpu")
P = 407_080


def measured(library: Library, settings: Settings) -> list[Anatomy]:
    """The recorded first step and a settled one."""
    training = Training(settings, library.load(settings.dataset), CPU)
    anatomies = []
    for _ in range(2):
        training.batches.seek(1, 0)
        recording = training.ledger.record()
        training.step(settings.batch_size, recording)
        anatomies.append(recording.anatomy())
    return anatomies


# Batch sizes and hidden widths: each with every model and optimizer, but not with each other.
PLACES = [(1, 16), (2, 128), (16, 1000), (63, 100), (64, 128), (526, 128), (527, 128), (1021, 17)]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("dataset", DATASETS)
def test_first_and_settled_steps_are_predicted_whole(
    library: Library, dataset: DatasetName, optimizer: OptimizerName
) -> None:
    """Boundaries, high-water mark, peak and every moment between."""
    for size, hidden in [*PLACES, (4096, 128)]:
        settings = Settings(dataset=dataset, optimizer=optimizer, batch_size=size, hidden=hidden)
        predictor = Predictor(settings, SHAPES[dataset], "cpu", None)
        predicted = [predictor.step(size)[0] for _ in range(2)]
        assert predicted == measured(library, settings), (size, hidden)


def test_the_prediction_of_a_training_is_its_settled_step(library: Library) -> None:
    predicted = predict(Settings(), SHAPES["mnist"], "cpu", None)
    first, settled = measured(library, Settings())
    assert predicted.anatomy == settled != first


def test_one_predictor_serves_all_batch_sizes() -> None:
    predictor = Predictor(Settings(optimizer="sgd"), (1, 28, 28), "cpu", None)
    peaks = {size: predictor.step(size)[0].peak.bytes for size in (64, 1, 4096, 64)}
    before = {size: P + 3_144 * size for size in peaks}
    assert peaks == {
        size: before[size] + max(1_576 * size + 5_168, 552 * size + P + 8, P + 40 * size + 4)
        for size in peaks
    }


def test_a_batch_that_no_machine_holds_is_predicted() -> None:
    size = 10**9
    settings = Settings(batch_size=size, dataset="cifar10")
    anatomy = predict(settings, SHAPES["cifar10"], "cpu", None).anatomy
    assert anatomy.boundaries["load"].batch_data == size * (4 * 3_072 + 8)


@pytest.mark.parametrize(("device_type", "gpu"), [("cpu", None), ("cuda", predictor.GpuTraits())])
def test_a_prediction_draws_no_random_number(
    device_type: str, gpu: predictor.GpuTraits | None
) -> None:
    before = torch.get_rng_state()
    predict(Settings(), (1, 28, 28), device_type, gpu)
    assert torch.equal(torch.get_rng_state(), before)


def test_adams_step_counters_are_not_on_a_device() -> None:
    states = {
        device_type: predict(
            Settings(), (1, 28, 28), device_type, None
        ).anatomy.high_water.optimizer_state
        for device_type in ("cpu", "mps", "cuda")
    }
    assert states == {"cpu": 2 * P + 16, "mps": 2 * P, "cuda": 2 * P}


def test_the_optimizers_variant_is_that_of_the_device() -> None:
    """Adam's temporaries: two of the first weight in a plain loop, otherwise one of all weights."""
    for device_type, temporaries in (("cpu", 2 * 401_408), ("cuda", P)):
        peak = predict(Settings(), (1, 28, 28), device_type, None).anatomy.peak
        assert (peak.phase, peak.split.temporaries) == ("optimizer", temporaries)


def test_a_larger_batch_has_a_larger_peak() -> None:
    for optimizer, device_type in product(("sgd", "adam"), ("cpu", "cuda")):
        predictor = Predictor(Settings(optimizer=optimizer), (1, 28, 28), device_type, None)
        peaks = [predictor.step(size)[0].peak.bytes for size in range(1, 12)]
        assert peaks == sorted(set(peaks))
