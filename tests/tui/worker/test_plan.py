"""The plan of a sweep: which runs, on how many images, with which rates."""

from __future__ import annotations

import pytest
from vramtop.protocol.lesson.settings import MAX_SEED, SettingError, Settings
from vramtop.tui.worker.sweep_plan import IMAGES, Plan, Scale, plan, scaled


def sizes(*batch_sizes: int, **common: object) -> list[Settings]:
    return [Settings(batch_size=size, **common) for size in batch_sizes]


def planned(settings: list[Settings], train_images: int = 6_000, **asked: object) -> Plan:
    usual = {"steps": None, "images": None, "scale": "none", "repeats": 1}
    return plan(settings, train_images, **usual | asked)  # type: ignore[arg-type]


def test_every_size_is_trained_on_the_same_number_of_images() -> None:
    trials = planned(sizes(64, 256)).trials
    assert [(trial.settings.batch_size, trial.images, trial.steps) for trial in trials] == [
        (64, IMAGES, None),
        (256, IMAGES, None),
    ]
    assert {trial.images for trial in planned(sizes(64, 256), images=5_000).trials} == {5_000}


@pytest.mark.parametrize(
    ("size", "train_images", "least"),
    [
        (64, 6_000, 3 * 64),
        (2_000, 6_000, 6_000),  # all of an epoch
        (2_500, 6_000, 6_000 + 2_500),  # two in an epoch, and a short one
        (4_096, 6_000, 2 * 6_000 + 4_096),
        (6_000, 6_000, 3 * 6_000),
    ],
)
def test_three_full_batches_are_the_least(size: int, train_images: int, least: int) -> None:
    assert planned(sizes(1, size), train_images, images=least).trials[0].images == least
    with pytest.raises(SettingError, match=f"batch {size:,} needs at least --images {least:,}"):
        planned(sizes(1, size), train_images, images=least - 1)


def test_batches_that_are_added_up_are_full_together() -> None:
    added = sizes(512, accumulation=8)
    assert planned(added, images=2 * 6_000 + 4_096).trials[0].steps is None
    with pytest.raises(SettingError, match=r"at least --images 16,096"):
        planned(added, images=16_095)
    assert planned(added, steps=1).trials[0].steps == 5


def test_the_usual_number_of_images_grows_with_the_largest_batch() -> None:
    assert planned(sizes(64, 60_000), 60_000).trials[0].images == 3 * 60_000


def test_steps_are_the_same_for_all_sizes_but_enough_for_a_plain_one() -> None:
    trials = planned(sizes(64, 4_096), steps=4).trials
    assert [(trial.steps, trial.images) for trial in trials] == [(4, None), (5, None)]


def test_repeats_go_round_all_sizes_with_one_seed_after_the_other() -> None:
    trials = planned(sizes(64, 128, seed=7), repeats=2).trials
    order = [(trial.settings.seed, trial.settings.batch_size) for trial in trials]
    assert order == [(7, 64), (7, 128), (8, 64), (8, 128)]


def test_repeats_that_no_seed_is_left_for_are_refused() -> None:
    assert planned(sizes(1, seed=MAX_SEED - 1), repeats=2)
    with pytest.raises(SettingError, match="3 repeats from seed"):
        planned(sizes(1, seed=MAX_SEED - 1), repeats=3)


@pytest.mark.parametrize(
    ("scale", "rates", "text"),
    [
        ("none", [0.001, 0.001, 0.001], "0.001"),
        ("linear", [0.004, 0.001, 0.002], "0.001 × batch/16"),
        ("sqrt", [0.002, 0.001, 0.001 * 2**0.5], "0.001 × √(batch/16)"),
    ],
)
def test_rates_are_scaled_from_the_smallest_batch(
    scale: Scale, rates: list[float], text: str
) -> None:
    found = planned(sizes(64, 16, 32), scale=scale)
    assert [trial.settings.rate for trial in found.trials] == pytest.approx(rates)
    assert found.rate == text


def test_a_rate_that_is_too_high_is_refused_with_its_scaling() -> None:
    with pytest.raises(SettingError) as error:
        scaled(sizes(1, 4_096, learning_rate=0.5), "linear")
    assert str(error.value) == (
        "the learning rate of batch 4,096 would be 2,048, by linear scaling from 0.5 at batch 1; "
        "at most 1,000 can be"
    )
