"""The search for the largest batch size, in a session driven through its inbox."""

from __future__ import annotations

import msgspec
import pytest
from driven import running, whole
from memory_limits import steps_fit
from vramtop.protocol.commands import Pause, Stop
from vramtop.protocol.lesson.commands import CallOff, Change, FindLargest
from vramtop.protocol.lesson.messages import (
    Found,
    LessonOutOfMemory,
    LessonSample,
    Predicted,
    SearchEnded,
    Timed,
    Tried,
)
from vramtop.protocol.lesson.settings import OptimizerName, Settings
from vramtop.protocol.messages import Answer
from vramtop.trainer.data.datasets import Library
from vramtop.trainer.fitting import search
from vramtop.trainer.fitting.bisection import bisect
from vramtop.trainer.fitting.gpu_traits import GpuTraits
from vramtop.trainer.fitting.judge import FitJudge

P = 407_080


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_TIMED_STEPS", 1)
    monkeypatch.setattr(search, "_TIMED_SECONDS", 0)


def found_in(library: Library, settings: Settings) -> tuple[Found, list[Tried]]:
    with running(library, settings, steps=0, every_step=True) as driver:
        driver.send(FindLargest(1))
        found = driver.until(SearchEnded).found
        assert found is not None
        return found, driver.all(Tried)


@pytest.mark.parametrize(
    ("optimizer", "budget"),
    [
        ("sgd", 2_500_000),
        ("sgd", 9_999_999),
        ("momentum", 6_000_000),
        ("adam", 2_600_000),
        ("adam", 6_000_000),
        ("adamw", 9_999_999),
    ],
)
def test_that_size_fits_and_the_next_does_not(
    library: Library, optimizer: OptimizerName, budget: int
) -> None:
    settings = Settings(optimizer=optimizer, budget=budget)
    found, tried = found_in(library, settings)
    largest = found.max_batch_size
    fits = [
        steps_fit(library, msgspec.structs.replace(settings, batch_size=size))
        for size in (largest, largest + 1)
    ]
    assert fits == [True, False]
    assert found.peak_beyond is not None
    assert found.peak_at_max <= budget < found.peak_beyond
    assert found.recommended_batch_size == max(1, largest * 8 // 10)
    assert (found.trial_steps, found.oom_trials) == (len(tried), 1) <= (3, 1)
    assert tried[-2:] == [Tried(largest, True), Tried(largest + 1, False)]


def test_where_all_the_images_fit_the_data_is_named_as_the_limit(library: Library) -> None:
    found, _ = found_in(library, Settings(budget=2**30, hidden=8))
    assert (found.max_batch_size, found.limited_by, found.peak_beyond) == (6_000, "data", None)
    assert found.oom_trials == 0


def test_a_budget_that_holds_no_image_is_answered_in_one_line(library: Library) -> None:
    budget = 3 * P
    with running(library, Settings(budget=budget), steps=0, every_step=True) as driver:
        driver.send(FindLargest(7))
        assert driver.until(SearchEnded).found is None
        answer = driver.until(Answer)
    assert (answer.command, driver.all(Tried)) == (7, [])
    assert answer.error == (
        f"a budget of {budget:,} B does not hold a batch of one image, which takes "
        f"{4 * P + 16 + 3_184 + 4 + 2 * 401_408:,} B"
    )


def test_speeds_are_measured_at_doubling_sizes_and_the_largest(library: Library) -> None:
    found, _ = found_in(library, Settings(budget=3_000_000))
    sizes = [speed.batch_size for speed in found.speeds]
    assert sizes == [16, 32, 64, 128, found.max_batch_size]
    best = max(speed.samples_per_second for speed in found.speeds)
    fast = [s.batch_size for s in found.speeds if s.samples_per_second >= 0.95 * best]
    assert found.fast_batch_size == fast[0]


def test_the_fast_size_is_the_smallest_within_a_twentieth_of_the_best(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    speeds = {16: 500.0, 32: 949.0, 64: 951.0, 128: 1000.0}

    def speed(_: search.Search, size: int) -> Timed:
        return Timed(size, speeds.get(size, 990.0))

    monkeypatch.setattr(search.Search, "_speed", speed)
    found, _ = found_in(library, Settings(budget=3_000_000))
    assert found.fast_batch_size == 64


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_training_goes_on_as_if_nothing_had_been_searched(
    library: Library, optimizer: OptimizerName
) -> None:
    settings = Settings(optimizer=optimizer, budget=6_000_000)
    expected = whole(library, settings, 30).losses
    with running(library, settings, steps=30, every_step=True) as driver:
        for _ in range(10):
            driver.until(LessonSample)
        driver.send(FindLargest(1))
        assert driver.until(SearchEnded).found is not None
        driver.ended()
    samples = driver.all(LessonSample)
    assert driver.losses == expected
    assert [sample.position for sample in samples] == [64 * step for step in range(1, 31)]
    assert driver.all(LessonOutOfMemory) == []


def test_a_search_that_is_called_off_leaves_the_training_as_it_was(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_TIMED_SECONDS", 1e9)  # it never ends by itself
    settings = Settings(budget=6_000_000)
    expected = whole(library, settings, 20).losses
    with running(library, settings, steps=20, every_step=True) as driver:
        driver.until(LessonSample)
        driver.send(FindLargest(1))
        driver.until(Tried)
        driver.send(CallOff(2))
        assert driver.until(SearchEnded).found is None
        driver.ended()
    assert driver.losses == expected


def test_a_change_calls_the_search_off_and_takes_effect(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_TIMED_SECONDS", 1e9)
    with running(library, Settings(budget=6_000_000), every_step=True) as driver:
        driver.until(LessonSample)
        driver.send(FindLargest(1))
        driver.until(Tried)
        driver.send(Change(2, batch_size=32))
        assert driver.until(SearchEnded).found is None
        while driver.until(LessonSample).batch_size != 32:
            pass


def test_a_paused_training_can_search_and_stays_paused(library: Library) -> None:
    with running(library, Settings(budget=6_000_000), every_step=True) as driver:
        driver.send(Pause(1, True))
        driver.until(Answer)
        driver.send(FindLargest(2))
        found = driver.until(SearchEnded).found
        assert found is not None
        assert found.oom_trials == 1


def test_a_wrong_prediction_costs_steps_and_changes_no_result(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(budget=6_000_000)
    right, _ = found_in(library, settings)
    for error in (-37, 41):
        monkeypatch.setattr(FitJudge, "largest", lambda *_, e=error: right.max_batch_size + e)
        found, tried = found_in(library, settings)
        assert found.max_batch_size == right.max_batch_size
        assert found.trial_steps == len(tried) > 3


def test_on_a_gpu_the_budget_counts_what_the_allocator_takes_from_the_driver() -> None:
    mib = 2**20
    judge = FitJudge(Settings(), (1, 28, 28), "cuda", GpuTraits(), limit=100 * mib)
    largest = judge.largest(60_000)
    here, beyond = judge.verdict(largest), judge.verdict(largest + 1)
    assert here.fits
    assert not beyond.fits
    assert 64 * mib < here.bytes <= 100 * mib < beyond.bytes  # cuBLAS's workspaces take 64 MiB
    assert here.bytes % (2 * mib) == 0


def test_bisection_finds_the_last_size_that_fits() -> None:
    for last in range(12):
        assert bisect(lambda size, last=last: size <= last, 0, 12) == last


def test_what_twice_the_batch_would_hold_is_reported_once_for_each_setting(
    library: Library,
) -> None:
    with running(library, Settings(budget=5_000_000)) as driver:
        first = driver.until(Predicted)
        driver.send(Change(1, batch_size=512))
        second = driver.until(Predicted)
        driver.send(Stop())
        driver.ended()
    assert [first.settings.batch_size, second.settings.batch_size] == [128, 1024]
    assert first.needed is None
    assert second.needed == second.anatomy.peak.bytes > 5_000_000
    assert len(driver.all(Predicted)) == 2
