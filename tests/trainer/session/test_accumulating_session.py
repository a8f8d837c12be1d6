"""A session whose steps accumulate several batches, on a few of the digits."""

import pytest
from driven import running, whole
from vramtop.protocol.lesson.commands import Change, FindLargest
from vramtop.protocol.lesson.messages import (
    Configured,
    LessonMeasured,
    LessonOutOfMemory,
    LessonSample,
    Noise,
    Predicted,
    SearchEnded,
)
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import Answer
from vramtop.trainer.session import watching

P, W = 407_080, 401_408
IMAGE = 3_144


def test_losses_are_the_same_to_the_bit_with_and_without_observation(few, monkeypatch):
    monkeypatch.setattr(watching, "OBSERVE_SECONDS", 0.0)
    settings = Settings(batch_size=32, accumulation=4)
    observed = whole(few, settings, 80)
    assert observed.losses == whole(few, settings, 80, observe=False).losses
    assert len(observed.all(LessonMeasured)) > 5
    assert observed.all(Noise)


def test_a_step_counts_all_of_its_images_and_an_epoch_its_updates(few):
    driver = whole(few, Settings(batch_size=64, accumulation=4), 6)
    samples = driver.all(LessonSample)
    assert [sample.batch_size for sample in samples] == [256, 256, 88] * 2
    assert [sample.position for sample in samples] == [256, 512, 600] * 2
    assert [sample.images for sample in samples] == [256, 512, 600, 856, 1112, 1200]


def test_small_batches_that_add_up_learn_as_one_large_batch(few):
    added = whole(few, Settings(batch_size=30, accumulation=10), 6).losses
    assert added == pytest.approx(whole(few, Settings(batch_size=300), 6).losses, rel=1e-4)


def test_it_is_walked_through_batch_by_batch(few):
    with running(few, Settings(batch_size=32, accumulation=2)) as driver:
        driver.settled()
        held = driver.walk(7)
    assert [(sample.phase, sample.part) for sample in held] == [
        *(("load", 1), ("forward", 1), ("backward", 1)),
        *(("load", 2), ("forward", 2), ("backward", 2)),
        ("optimizer", 2),
    ]
    assert [sample.split.gradients for sample in held] == [0, 0, P, P, P, P, P]
    assert {sample.batch_size for sample in held} == {64}


def test_it_is_changed_while_it_trains_and_refused_where_there_are_too_few_images(few):
    with running(few, Settings(batch_size=64), every_step=True) as driver:
        driver.at_step(5)
        driver.send(Change(1, accumulation=3))
        driver.until(Configured, lambda message: message.settings.accumulation == 3)
        measured = driver.settled()
        assert measured.batch_size == 192
        assert measured.anatomy.boundaries["load"].gradients == P
        driver.send(Change(2, accumulation=10))
        error = driver.until(Answer, lambda answer: answer.command == 2).error
        assert error == (
            "accumulation is a whole number from 1 to 9 where batches are 64 of 600 images, not 10"
        )
        driver.send(Change(3, batch_size=300))
        assert "from 1 to 2 where" in driver.until(Answer, lambda a: a.command == 3).error
        driver.until(LessonSample)


def test_gradients_that_stay_can_be_too_much_and_the_last_settings_come_back(few):
    """With SGD, the second batch's activations are held beside the first one's gradients."""
    single = P + IMAGE * 64 + P + 552 * 64 + 8
    with running(
        few, Settings(optimizer="sgd", batch_size=64, budget=single), every_step=True
    ) as driver:
        driver.at_step(5)
        driver.send(Change(1, accumulation=2))
        failure = driver.until(LessonOutOfMemory)
        back = driver.until(Configured)
        last = driver.all(LessonSample)[-1].step + 5
        driver.at_step(last)
    assert (failure.phase, failure.restored, failure.limit) == ("forward", 64, single)
    assert failure.split.gradients == P
    assert back.settings.accumulation == 1
    expected = whole(few, Settings(optimizer="sgd", batch_size=64), last)
    assert driver.losses == expected.losses


def test_what_comes_next_is_predicted_with_it(few):
    with running(few, Settings(batch_size=64, accumulation=2)) as driver:
        larger = driver.until(Predicted)
        assert (larger.settings.batch_size, larger.settings.accumulation) == (128, 2)
        driver.send(Change(1, batch_size=128))
        driver.until(Configured, lambda message: message.settings.batch_size == 128)
        measured = driver.settled()
    assert measured.anatomy == larger.anatomy


def test_the_largest_batch_that_fits_is_found_with_it(few):
    """Above parameters and (4·784 + 8)·b, gradients that stay take P + W + 552·b + 524."""
    budget = 2 * P + W + (IMAGE + 552) * 100 + 524 + 3_000
    settings = Settings(optimizer="sgd", accumulation=2, budget=budget)
    with running(few, settings) as driver:
        driver.settled()
        driver.send(FindLargest(1))
        found = driver.until(SearchEnded).found
    assert (found.max_batch_size, found.accumulation, found.limited_by) == (100, 2, "memory")
    assert (found.trial_steps, found.oom_trials) == (2, 1)
