"""A session on the package's sample: its start, its steps and epochs, its end."""

import queue
import threading

import pytest
import torch
from driven import running, whole
from vramtop.protocol.commands import Stop
from vramtop.protocol.lesson.commands import Start
from vramtop.protocol.lesson.messages import (
    Evaluated,
    LessonEnded,
    LessonMeasured,
    LessonSample,
    Predicted,
)
from vramtop.protocol.lesson.settings import SettingError, Settings
from vramtop.trainer.fitting import fake_tensors
from vramtop.trainer.session.outbox import Outbox
from vramtop.trainer.session.session import Session
from vramtop.trainer.training.training import Training

P = 407_080  # bytes of 101,770 parameters


def test_losses_are_the_same_to_the_bit_with_and_without_observation(library):
    settings = Settings(batch_size=256)
    assert whole(library, settings, 40).losses == whole(library, settings, 40, observe=False).losses


def test_training_goes_on_while_what_predictions_need_is_imported(library, monkeypatch):
    imported = threading.Event()
    monkeypatch.setattr(fake_tensors, "fake_tensor_mode", imported.wait)
    with running(library) as driver:
        driver.settled()
        last = driver.until(LessonSample).step
        driver.until(LessonSample, lambda sample: sample.step > last + 5)
        assert not driver.all(Predicted)
        imported.set()
        assert driver.until(Predicted).settings.batch_size == 128


def test_a_run_of_so_many_steps_ends_after_them(library):
    with running(library, steps=7, every_step=True) as driver:
        assert driver.ended() == LessonEnded(7, 7 * 64)
        assert len(driver.all(LessonSample)) == 7


def test_a_settled_step_begins_with_the_optimizers_state(library):
    with running(library, steps=3, every_step=True) as driver:
        first, second = driver.until(LessonMeasured), driver.until(LessonMeasured)
    assert (first.settled, second.settled) == (False, True)
    assert first.anatomy.boundaries["load"].optimizer_state == 0
    assert second.anatomy.boundaries["load"].optimizer_state == 2 * P + 16


def test_the_loss_begins_with_the_log_softmax_in_forward(library):
    with running(library) as driver:
        anatomy = driver.settled().anatomy
    before, first = anatomy.curve[anatomy.loss - 1], anatomy.curve[anatomy.loss]
    assert anatomy.operators[first.operator] == "aten._log_softmax.default"
    assert (before.phase, first.phase) == ("forward", "forward")
    # The logits exist already, and the loss allocates as much again.
    assert first.split.activations - before.split.activations == 40 * 64


def test_every_batch_size_begins_with_the_same_parameters(library):
    data = library.load("mnist")
    first, second = (
        Training(Settings(batch_size=size), data, torch.device("cpu")).model.state_dict()
        for size in (64, 4_096)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (Settings(batch_size=6_001), "1 to 6,000"),
        (Settings(batch_size=0), "1 to 6,000"),
        (Settings(budget=P - 1), "does not hold the model"),
        (Settings(hidden=0), "1 to 65,536"),
        (Settings(learning_rate=-1.0), "above 0"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_the_start(library, settings, text):
    with pytest.raises(SettingError, match=text):
        Session(
            Start(1, settings), torch.device("cpu"), library.load, Outbox(), queue.SimpleQueue()
        )


# ---- epochs and goals -----------------------------------------------------------------------


def test_an_epoch_sees_each_image_once_and_ends_with_an_evaluation(library):
    settings = Settings(batch_size=1000)
    with running(library, settings, steps=12, every_step=True) as driver:
        driver.ended()
    evaluated = driver.all(Evaluated)
    assert [message.epoch for message in evaluated] == [1, 2]
    # Parameters and Adam's state stay; 1,000 images, their targets, and ReLU before and after.
    assert evaluated[0].peak.batch_data == 1000 * (3_136 + 8)
    assert evaluated[0].peak.total == 3 * P + 16 + 1000 * (3_136 + 8) + 1000 * 1024
    assert [sample.position for sample in driver.all(LessonSample)] == [
        1000 * n for n in range(1, 7)
    ] * 2


def test_evaluation_never_leaks_into_a_steps_peak(library):
    with running(library, steps=300, every_step=True) as driver:
        driver.ended()
    peaks = {m.anatomy.peak.bytes for m in driver.all(LessonMeasured) if m.settled}
    assert peaks == {3 * P + 16 + P + (3_136 + 48) * 64 + 4 + 2 * 401_408}


@pytest.mark.parametrize(("batch_size", "accumulation"), [(64, 1), (4_096, 1), (64, 8)])
def test_a_goal_in_images_is_met_to_the_image_and_evaluated_once(library, batch_size, accumulation):
    goal = {"images": 6_500, "evaluate": True, "every_step": True}
    settings = Settings(batch_size=batch_size, accumulation=accumulation)
    with running(library, settings, **goal) as driver:
        assert driver.ended().images == 6_500
    seen = [message for message in driver.seen if isinstance(message, (Evaluated, LessonEnded))]
    # At the end of the first epoch, and at the goal.
    assert [type(message) for message in seen] == [Evaluated, Evaluated, LessonEnded]
    assert [message.epoch for message in seen[:2]] == [1, 2]


def test_a_goal_at_an_epochs_end_needs_no_second_evaluation(library):
    with running(library, images=6_000, evaluate=True, every_step=True) as driver:
        driver.ended()
    assert len(driver.all(Evaluated)) == 1


def test_a_session_that_is_stopped_is_not_evaluated(library):
    goal = {"images": 10**9, "evaluate": True, "every_step": True}
    with running(library, Settings(batch_size=1), **goal) as driver:
        driver.until(LessonSample)
        driver.send(Stop())
        assert driver.ended().images < 6_000
    assert not driver.all(Evaluated)
