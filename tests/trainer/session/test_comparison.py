"""Batch sizes compared inside a session, as a sweep does it; the training goes on afterwards."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from driven import Driver, running, whole
from vramtop.protocol.commands import Pause
from vramtop.protocol.lesson.commands import CallOff, Change, Compare, Reset
from vramtop.protocol.lesson.messages import (
    Compared,
    Comparing,
    ComparisonEnded,
    Configured,
    Evaluated,
    LessonMeasured,
    LessonSample,
)
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import Answer
from vramtop.trainer.data.datasets import Dataset, Library

SIZES = (16, 64, 200)
IMAGES = 1_000


@pytest.fixture(scope="module")
def tested(few: Dataset, sample: Dataset) -> Dataset:
    """600 images to train on, and all 1,000 to evaluate."""
    return replace(few, test=sample.test)


def runs(*sizes: int, **values: object) -> tuple[Settings, ...]:
    base = Settings(device="cpu", **values)  # type: ignore[arg-type]
    return tuple(msgspec.structs.replace(base, batch_size=size) for size in sizes)


def comparison(driver: Driver, command: Compare) -> list[Compared]:
    driver.send(command)
    driver.until(ComparisonEnded)
    return driver.all(Compared)


def sweep(data: Dataset, settings: tuple[Settings, ...]) -> list[tuple[float, float, int]]:
    """Test loss, accuracy and peak of each size, as a worker reports them in a sweep."""
    found = []
    with running(data, settings[0], images=IMAGES, evaluate=True, every_step=True) as driver:
        for each in settings:
            if each is not settings[0]:
                driver.send(Reset(1, each, images=IMAGES, evaluate=True))
            driver.ended()
            last, peak = (
                driver.all(Evaluated)[-1],
                driver.all(LessonMeasured)[-1].anatomy.peak.bytes,
            )
            found.append((last.loss, last.accuracy, peak))
    return found


@pytest.mark.parametrize("values", [{}, {"optimizer": "momentum", "accumulation": 2}])
def test_the_losses_are_those_of_a_sweep_to_the_bit(
    tested: Dataset, values: dict[str, object]
) -> None:
    settings = runs(*SIZES, **values)
    with running(tested, settings[1], every_step=True) as driver:
        driver.at_step(40)
        compared = comparison(driver, Compare(1, settings, IMAGES))
    assert [each.settings for each in compared] == list(settings)
    assert {each.images for each in compared} == {IMAGES}
    assert len({each.before for each in compared}) == 1
    seen = [(each.after, each.accuracy, each.anatomy.peak.bytes) for each in compared]  # type: ignore[union-attr]
    assert seen == sweep(tested, settings)


def test_the_training_goes_on_to_the_bit(few: Dataset) -> None:
    settings = Settings(device="cpu")
    with running(few, settings, steps=90, every_step=True) as driver:
        driver.at_step(25)
        comparison(driver, Compare(1, runs(*SIZES), IMAGES))
        driver.ended()
    assert driver.losses == whole(few, settings, 90).losses


def test_it_has_timings_and_reports_its_progress(few: Dataset) -> None:
    with running(few) as driver:
        driver.until(LessonSample)
        driver.send(Pause(1, True))
        (one,) = comparison(driver, Compare(2, runs(64), 6_000))
    first = driver.all(Comparing)[0]
    assert (first.batch_size, first.number, first.runs, first.images) == (64, 1, 1, 6_000)
    assert one.step_seconds is not None
    assert one.samples_per_second == pytest.approx(64 / one.step_seconds)
    fresh = [message.fresh for message in driver.all(Configured)]
    assert fresh == [True, False]  # the trainings of the comparison are not reported as fresh


@pytest.mark.parametrize("by", [CallOff(2), Change(2, batch_size=128)])
def test_it_is_called_off_with_what_was_measured(few: Dataset, by: CallOff | Change) -> None:
    with running(few, every_step=True) as driver:
        driver.until(LessonSample)
        driver.send(Compare(1, runs(256, 1, 64), 60_000))  # one by one takes long
        driver.until(Compared)
        driver.send(by)
        assert not driver.until(ComparisonEnded).complete
        driver.until(LessonSample)
        assert [each.settings.batch_size for each in driver.all(Compared)] == [256]


def test_a_size_without_room_is_reported_and_the_others_are_compared(few: Dataset) -> None:
    budget = 3_000_000
    with running(few, Settings(device="cpu", budget=budget), every_step=True) as driver:
        driver.until(LessonSample)
        sizes = comparison(driver, Compare(1, runs(64, 600, 32, budget=budget), IMAGES))
        driver.until(LessonSample)
    assert [each.out_of_memory for each in sizes] == [False, True, False]
    assert sizes[1].limit == budget
    assert sizes[1].needed is not None
    assert sizes[1].needed > budget


def test_settings_that_cannot_be_are_refused(library: Library) -> None:
    with running(library) as driver:
        driver.until(LessonSample)
        driver.send(Compare(1, runs(6_001), IMAGES))
        answer = driver.until(Answer)
    assert answer.error is not None
    assert "6,000" in answer.error


def test_a_restart_begins_with_the_same_weights_and_keeps_the_settings(few: Dataset) -> None:
    settings = Settings(device="cpu", batch_size=32)
    with running(few, settings, every_step=True) as driver:
        driver.at_step(30)
        first = driver.losses
        driver.send(Reset(1, settings))
        configured = driver.until(Configured, lambda message: message.fresh)
        driver.at_step(30)
    assert configured.settings == settings
    assert driver.losses[-30:] == first
