"""Out of memory in any phase, under a budget on the host: what is reported, and what comes back."""

from __future__ import annotations

import msgspec
import pytest
import torch
from driven import Driver, running, whole
from memory_limits import run_out_of_memory, steps_fit
from torch import nn
from vramtop.protocol.commands import Advance, Pause
from vramtop.protocol.lesson.commands import Change, Compare, FindLargest, Reset
from vramtop.protocol.lesson.messages import (
    Configured,
    Evaluated,
    LessonOutOfMemory,
    LessonSample,
    SearchEnded,
    WouldFit,
)
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import Answer
from vramtop.trainer.data.datasets import Library
from vramtop.trainer.fitting.largest import LargestFitSearch
from vramtop.trainer.fitting.search import Search
from vramtop.trainer.training.training import Training

CPU = torch.device("cpu")
P = 407_080  # bytes of the parameters
STATE = 2 * P + 16  # of Adam's state
IMAGE = 4 * 784 + 8  # of an image and its target
HIDDEN = 4 * 128  # of an image after the first layer


def losses(driver: Driver) -> list[float | None]:
    """The losses of all steps so far; the later one where a step was taken again."""
    known = {sample.step: sample.loss for sample in driver.all(LessonSample)}
    return [known[step] for step in sorted(known)]


def undisturbed(library: Library, settings: Settings, steps: int) -> list[float | None]:
    return whole(library, msgspec.structs.replace(settings, budget=None), steps).losses


SGD = Settings(device="cpu", optimizer="sgd", budget=3_000_000)
ADAM = Settings(device="cpu", budget=6_000_000)
FIRST_ADAM = Settings(
    device="cpu",
    optimizer="sgd",
    batch_size=512,
    budget=2 * P + 512 * (3_200 + 1_576) + 5_168,
)
ADDED = Settings(device="cpu", optimizer="sgd", budget=P + IMAGE * 64 + P + 552 * 64 + 8)
# The settings, the change, the phase and operator that fail, the bytes requested and those held.
CASES = {
    "load": (SGD, {"batch_size": 4096}, "load", "batch", IMAGE * 4096, P),
    "forward": (
        *(ADAM, {"batch_size": 1300}, "forward", "aten.relu.default"),
        *(HIDDEN * 1300, P + STATE + (IMAGE + HIDDEN) * 1300),
    ),
    "backward": (
        *(ADAM, {"batch_size": 1024}, "backward", "aten.threshold_backward.default"),
        *(HIDDEN * 1024, P + STATE + (IMAGE + 2 * HIDDEN + 40) * 1024 + 5_168),
    ),
    "first optimizer step": (
        *(FIRST_ADAM, {"optimizer": "adam"}, "optimizer", "aten.sqrt.default"),
        *(4 * 784 * 128, 2 * P + STATE + (IMAGE + 40) * 512 + 4),
    ),
    "added batches": (
        *(ADDED, {"accumulation": 2}, "forward", "aten.relu.default"),
        *(HIDDEN * 64, 2 * P + (IMAGE + HIDDEN) * 64 + 4),
    ),
    "a wider model": (
        *(SGD, {"hidden": 900}, "load", "batch"),
        *(IMAGE * 64, 4 * (785 * 900 + 901 * 10)),
    ),
    "other images": (
        *(SGD, {"dataset": "cifar10"}, "backward", "aten.mm.default"),
        *(4 * 3072 * 128, 1_578_536 + (4 * 3072 + 8 + HIDDEN + 40) * 64 + 5_168),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_place_and_bytes_are_reported_and_training_goes_on_to_the_bit(
    library: Library, name: str
) -> None:
    settings, change, phase, operator, wanted, held = CASES[name]
    assert settings.budget is not None
    with running(library, settings, every_step=True) as driver:
        driver.at_step(5)
        driver.send(Change(1, **change))
        short = driver.until(LessonOutOfMemory)
        back = driver.until(Configured)
        answer = driver.until(WouldFit)
        last = driver.until(LessonSample).step + 15
        driver.at_step(last)
    failed = msgspec.structs.replace(settings, **change)
    assert (short.phase, short.operator) == (phase, operator)
    assert (short.wanted, short.split.total) == (wanted, held)
    assert (short.free, short.limit) == (settings.budget - held, settings.budget)
    assert short.needed == held + wanted > settings.budget
    assert (short.batch_size, short.accumulation) == (failed.batch_size, failed.accumulation)
    assert (short.back, short.restored) == (settings, settings.batch_size)
    assert back.settings == settings
    assert (answer.settings, answer.limit) == (failed, settings.budget)
    assert answer.largest is not None
    assert losses(driver) == undisturbed(library, settings, last)


@pytest.mark.parametrize(
    "settings",
    [
        msgspec.structs.replace(SGD, batch_size=4096),
        msgspec.structs.replace(ADAM, batch_size=3000),
        msgspec.structs.replace(ADAM, batch_size=1200, accumulation=5),
        msgspec.structs.replace(SGD, hidden=512),
    ],
)
def test_the_size_that_would_have_fitted_does_and_one_more_does_not(
    library: Library, settings: Settings
) -> None:
    search = LargestFitSearch(settings, (1, 28, 28), CPU, 6_000 // settings.accumulation)
    answer = None
    while answer is None:
        answer = search.go_on()
    largest = answer.largest
    assert largest is not None
    fits = [
        size == 0 or steps_fit(library, msgspec.structs.replace(settings, batch_size=size))
        for size in (largest, largest + 1)
    ]
    assert fits == [True, False]


def test_a_model_that_is_too_large_by_itself_fits_with_no_batch(library: Library) -> None:
    with running(library, Settings(budget=P + 100), every_step=True) as driver:
        short, answer = driver.until(LessonOutOfMemory), driver.until(WouldFit)
    assert (short.restored, short.back, short.free) == (None, None, 100)
    assert answer.largest == 0


def test_a_failure_that_the_prediction_does_not_explain_has_no_largest_size(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(library, Settings(), every_step=True) as driver:
        driver.settled()
        driver.pause()
        run_out_of_memory(monkeypatch, nn.CrossEntropyLoss, "forward", after=0)
        driver.send(Change(1, batch_size=128))
        driver.send(Pause(4, paused=False))
        assert driver.until(LessonOutOfMemory).wanted is None
        assert driver.until(WouldFit).largest is None
        driver.until(LessonSample)


def test_a_prediction_that_fails_leaves_the_training_alone(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vramtop.trainer.fitting.largest.FitJudge", None)
    with running(library, SGD, every_step=True) as driver:
        driver.at_step(3)
        driver.send(Change(1, batch_size=4096))
        assert driver.until(WouldFit).largest is None
        driver.until(LessonSample)


def test_a_step_that_is_walked_through_reports_as_much(library: Library) -> None:
    with running(library, ADAM, every_step=True) as driver:
        driver.settled()
        driver.send(Pause(1, True))
        driver.send(Change(2, batch_size=1300))
        for command in range(3, 6):
            driver.send(Advance(command))
        short = driver.until(LessonOutOfMemory)
    assert (short.phase, short.operator) == ("forward", "aten.relu.default")
    assert short.wanted == HIDDEN * 1300


def test_an_evaluation_reports_the_bytes_requested_and_goes_on_in_halves(library: Library) -> None:
    with running(
        library, Settings(optimizer="sgd", batch_size=60, budget=2**21), every_step=True
    ) as driver:
        short = driver.until(LessonOutOfMemory)
        driver.until(Evaluated)
    assert (short.phase, short.operator, short.wanted) == ("evaluation", "batch", IMAGE * 1000)
    assert (short.restored, short.back, short.free) == (500, None, 2**21 - P)


# ---- memory that others took ----------------------------------------------------------------


def test_a_search_without_room_ends_and_the_training_goes_on_to_the_bit(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_out_of_memory(monkeypatch, Search, "_speed", after=1)
    with running(library, ADAM, steps=30, every_step=True) as driver:
        driver.at_step(5)
        driver.send(FindLargest(1))
        assert driver.until(SearchEnded).found is None
        answer = driver.until(Answer)
        driver.ended()
    assert answer.error == "the search ran out of memory: others took it"
    assert losses(driver) == undisturbed(library, ADAM, 30)


def test_a_training_without_room_to_return_waits_and_comes_back_to_the_bit(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_out_of_memory(monkeypatch, Training, "restore", after=0, times=2)
    with running(library, ADAM, every_step=True) as driver:
        driver.at_step(5)
        driver.send(Change(1, hidden=1800))
        first, second = driver.until(LessonOutOfMemory), driver.until(LessonOutOfMemory)
        last = losses(driver)
        driver.send(Change(2, batch_size=32))
        third = driver.until(LessonOutOfMemory)
        driver.send(Change(3, learning_rate=0.001))
        driver.at_step(len(last) + 15)
    assert first.restored == 64
    assert [(short.phase, short.restored) for short in (second, third)] == [("model", None)] * 2
    seen = [message for message in driver.seen if isinstance(message, LessonSample)]
    assert seen[len(last) - 1].loss == last[-1]


@pytest.mark.parametrize("command", [FindLargest(9), Compare(9, (ADAM,), 60)])
def test_nothing_else_is_trained_while_the_training_itself_has_no_room(
    library: Library, monkeypatch: pytest.MonkeyPatch, command: FindLargest | Compare
) -> None:
    with running(library, ADAM, every_step=True) as driver:
        driver.at_step(5)
        # The wider model can be made, but not the former one again.
        run_out_of_memory(monkeypatch, Training, "__init__", after=1)
        driver.send(Change(1, hidden=1800))
        for _ in range(2):
            driver.until(LessonOutOfMemory)
        driver.send(command)
        refusal = driver.until(Answer, lambda answer: answer.command == 9).error or ""
        driver.send(Change(2, batch_size=32))
        driver.until(LessonSample, lambda sample: sample.batch_size == 32)
    assert "while the training itself has no room" in refusal


def test_a_reset_without_room_leaves_everything_as_it_was(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(library, ADAM, steps=40, every_step=True) as driver:
        driver.at_step(5)
        run_out_of_memory(monkeypatch, Training, "__init__", after=0)
        new = msgspec.structs.replace(ADAM, hidden=64, batch_size=16)
        driver.send(Reset(1, new))
        short = driver.until(LessonOutOfMemory)
        assert driver.until(WouldFit).settings == new
        driver.ended()
    assert (short.phase, short.batch_size, short.back) == ("model", 16, ADAM)
    assert losses(driver) == undisturbed(library, ADAM, 40)
