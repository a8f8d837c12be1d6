"""A session that runs out of memory: the settings it goes on with, and that nothing is lost."""

import pytest
import torch
from driven import running, whole
from memory_limits import run_out_of_memory
from torch import nn
from vramtop.protocol.commands import Advance, Pause
from vramtop.protocol.lesson.commands import Change
from vramtop.protocol.lesson.messages import (
    Configured,
    Evaluated,
    LessonMeasured,
    LessonOutOfMemory,
    LessonSample,
)
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import Note
from vramtop.trainer.data.batches import Batches
from vramtop.trainer.device import memory
from vramtop.trainer.session.watching import Schedule
from vramtop.trainer.training import optimizers
from vramtop.trainer.training.training import Training

P = 407_080  # bytes of 101,770 parameters


def test_a_first_batch_that_does_not_fit_waits_for_one_that_does(library):
    settings = Settings(batch_size=4096, budget=6_000_000)
    with running(library, settings) as driver:
        assert driver.until(LessonOutOfMemory).restored is None
        driver.send(Change(1, batch_size=16))
        assert driver.until(LessonMeasured).batch_size == 16


def test_a_batch_that_does_not_fit_is_not_even_made(library, monkeypatch):
    made = []
    take = Batches.next
    monkeypatch.setattr(Batches, "next", lambda *given: made.append(given[1]) or take(*given))
    with running(library, Settings(optimizer="sgd", budget=3_000_000)) as driver:
        driver.settled()
        driver.send(Change(1, batch_size=4096))
        failure = driver.until(LessonOutOfMemory)
    assert failure.operator == "batch"
    assert failure.needed == P + (3136 + 8) * 4096
    assert failure.split.total == P
    assert 4096 not in made


def test_a_machine_without_memory_brings_the_last_batch_size_back(library, monkeypatch):
    take = Batches.next

    def next_batch(batches, size):
        if size == 2048:
            torch.empty(2**52, dtype=torch.uint8)  # more than any machine has
        return take(batches, size)

    monkeypatch.setattr(Batches, "next", next_batch)
    with running(library) as driver:
        driver.settled()
        driver.send(Change(1, batch_size=2048))
        failure = driver.until(LessonOutOfMemory)
        driver.until(LessonMeasured, lambda measured: measured.batch_size == 64)
    assert (failure.batch_size, failure.restored, failure.needed) == (2048, 64, None)
    assert "can't allocate memory" in failure.detail


def test_one_step_is_enough_to_return_to(library):
    with running(library, Settings(budget=6_000_000)) as driver:
        driver.send(Pause(1, True))
        for command in range(2, 8):
            driver.send(Advance(command))
        driver.until(LessonMeasured)
        driver.send(Change(9, batch_size=4096))
        driver.send(Pause(10, False))
        assert driver.until(LessonOutOfMemory).restored == 64


# ---- memory that others took -----------------------------------------------------------


@pytest.fixture
def unwatched(monkeypatch):
    """Only the steps after a change are recorded, until they have settled."""
    monkeypatch.setattr(Schedule, "due", lambda schedule, **_: not schedule.settled)


@pytest.mark.usefixtures("unwatched")
def test_a_plain_step_that_runs_out_of_memory_is_taken_once_more_and_nothing_is_lost(
    library, monkeypatch
):
    expected = whole(library, Settings(), 60).losses
    run_out_of_memory(monkeypatch, nn.CrossEntropyLoss, "forward", after=50)
    driver = whole(library, Settings(device="cpu"), 60)
    (note,) = driver.all(Note)
    expected_text = "out of memory in forward: the step is taken again, with the cache given back"
    assert note.text == expected_text
    assert driver.losses == expected
    assert not driver.all(LessonOutOfMemory)


@pytest.mark.usefixtures("unwatched")
def test_the_cache_is_emptied_for_the_retry_once_the_failed_step_is_released(library, monkeypatch):
    """A fragmented cache: there is room again once it has been given back."""
    cut_up, held = False, []
    forward, trainings = nn.CrossEntropyLoss.forward, []
    step = Training.step

    def taken(training, *given):
        nonlocal cut_up
        cut_up = cut_up or training.progress.steps == 50
        trainings.append(training)
        return step(training, *given)

    def loss(self, *given):
        if cut_up and not held:
            trainings[-1].model[1].weight.grad = torch.zeros(128, 784)  # of the failed step
            raise torch.OutOfMemoryError("no block is large enough")
        return forward(self, *given)

    def release(_):
        if cut_up:
            parameters = trainings[-1].model.parameters()
            held.append([p.grad for p in parameters if p.grad is not None])

    monkeypatch.setattr(Training, "step", taken)
    monkeypatch.setattr(nn.CrossEntropyLoss, "forward", loss)
    monkeypatch.setattr(memory, "release", release)
    driver = whole(library, Settings(device="cpu"), 60)
    assert not driver.all(LessonOutOfMemory)
    assert held == [[]]


@pytest.mark.usefixtures("unwatched")
def test_settings_that_worked_and_fit_no_more_go_on_with_half_the_batch(library, monkeypatch):
    expected = whole(library, Settings(), 60).losses
    run_out_of_memory(monkeypatch, nn.CrossEntropyLoss, "forward", after=50, times=2)
    with running(library, every_step=True) as driver:
        failure = driver.until(LessonOutOfMemory)
        before = driver.losses
        back = driver.until(Configured)
        after = driver.until(LessonSample)
    assert (failure.restored, failure.phase) == (32, "forward")
    assert failure.back == back.settings == Settings(device="cpu", batch_size=32)
    assert failure.split.parameters == P
    assert before == expected[: len(before)]
    assert (after.step, after.batch_size) == (len(before) + 1, 32)
    assert after.position == 64 * len(before) + 32


@pytest.mark.usefixtures("unwatched")
def test_where_no_size_fits_any_more_it_waits_with_everything_kept(library, monkeypatch):
    expected = whole(library, Settings(), 60).losses
    with monkeypatch.context() as others, running(library, every_step=True) as driver:
        run_out_of_memory(others, nn.CrossEntropyLoss, "forward", after=50, times=10**6)
        tried = [driver.until(LessonOutOfMemory).restored for _ in range(7)]
        others.undo()
        driver.send(Change(1, batch_size=64))
        driver.at_step(60)
        assert driver.losses == expected
    assert tried == [32, 16, 8, 4, 2, 1, None]


def change_some(optimizer):
    """Change one parameter, as an update does that is cut short after it."""
    with torch.no_grad():
        optimizer.param_groups[0]["params"][0].add_(1)


@pytest.mark.usefixtures("unwatched")
def test_an_update_cut_short_is_taken_back(library, monkeypatch):
    expected = whole(library, Settings(), 12).losses
    with running(library, every_step=True) as driver:
        driver.at_step(10)
        driver.pause()
        step = max(sample.step for sample in driver.all(LessonSample))
        run_out_of_memory(monkeypatch, optimizers.Adam, "step", after=0, before=change_some)
        driver.send(Pause(2, False))
        driver.until(Note)
        again = driver.until(LessonSample)
    # Back to the snapshot after the second step, and on from there.
    assert step > 2
    assert (again.step, again.loss) == (3, expected[2])


@pytest.mark.usefixtures("unwatched")
def test_an_update_cut_short_twice_is_taken_back_before_a_smaller_batch_goes_on(
    library, monkeypatch
):
    expected = whole(library, Settings(), 3).losses
    with running(library, every_step=True) as driver:
        driver.settled()
        run_out_of_memory(
            monkeypatch, optimizers.Adam, "step", after=2, before=change_some, times=2
        )
        short = driver.until(LessonOutOfMemory)
        again = driver.until(LessonSample)
    assert (short.phase, short.restored) == ("optimizer", 32)
    assert (again.step, again.batch_size, again.position) == (3, 32, 2 * 64 + 32)
    # Half of the third step's images, so nearly its loss; changed weights would be far off.
    assert again.loss == pytest.approx(expected[2], abs=0.5)


# ---- in an evaluation -----------------------------------------------------------------------


def test_an_evaluation_that_does_not_fit_goes_on_in_halves_and_remembers(library):
    settings = Settings(optimizer="sgd", batch_size=60, budget=2_097_152)
    with running(library, settings) as driver:
        driver.until(Evaluated)
        driver.send(Change(1, batch_size=100))
        driver.until(Configured, lambda configured: configured.settings.batch_size == 100)
        driver.until(Evaluated)
    refused = driver.all(LessonOutOfMemory)
    assert [(message.batch_size, message.restored) for message in refused] == [
        (1000, 500),
        (500, 250),
    ]
    assert all(message.phase == "evaluation" for message in refused)
    (peak,) = {message.peak.batch_data for message in driver.all(Evaluated)}
    assert peak == 250 * (3_136 + 8)


def test_an_evaluation_that_never_fits_is_tried_again_at_the_next_epochs_end(library, monkeypatch):
    tried = []

    def evaluate(_, batch_size, __):
        tried.append(batch_size)
        raise torch.OutOfMemoryError("others took it")

    monkeypatch.setattr(Training, "evaluate", evaluate)
    with running(library, Settings(batch_size=3000), steps=4) as driver:
        driver.ended()
    assert tried == [1000, 500, 250, 125, 62, 31, 15, 7, 3, 1] * 2
