"""Changes while a session trains: what is replaced and what is kept."""

import pytest
from driven import running, whole
from vramtop.protocol.lesson.commands import Change, Reset
from vramtop.protocol.lesson.messages import (
    Configured,
    Evaluated,
    LessonMeasured,
    LessonSample,
)
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import Answer

P = 407_080  # bytes of 101,770 parameters


def test_a_batch_size_change_keeps_parameters_and_place_and_is_measured_at_once(library):
    with running(library, every_step=True) as driver:
        before = driver.at_step(30)
        driver.send(Change(1, batch_size=128))
        configured = driver.until(Configured, lambda message: message.settings.batch_size == 128)
        measured = driver.until(LessonMeasured)
        after = driver.until(LessonSample)
        assert configured.formula.batch_data == 3_136 * 128
        assert measured.batch_size == 128
        assert measured.anatomy.high_water.batch_data == (3_136 + 8) * 128
        batch = measured.tensors["batch_data"].largest
        assert [(facts.name, facts.bytes) for facts in batch] == [
            ("inputs", 3_136 * 128),
            ("targets", 8 * 128),
        ]
        assert after.position == last_position(driver, 64) + 128
        assert after.loss < before.loss + 0.5  # a new training would begin above 2.2


def last_position(driver, batch_size):
    """The position in the epoch after the last step of this batch size."""
    samples = driver.all(LessonSample)
    return max(sample.position for sample in samples if sample.batch_size == batch_size)


def test_switching_the_optimizer_keeps_the_parameters(library):
    with running(library, every_step=True) as driver:
        driver.at_step(60)
        driver.send(Change(1, optimizer="sgd"))
        driver.until(Configured, lambda message: message.settings.optimizer == "sgd")
        measured, sample = driver.until(LessonMeasured), driver.until(LessonSample)
    assert measured.anatomy.high_water.optimizer_state == 0
    assert sample.step > 60
    assert sample.loss < 1.5


def test_another_hidden_width_is_another_model(library):
    with running(library) as driver:
        driver.until(LessonSample)
        driver.send(Change(1, hidden=32))
        configured = driver.until(Configured, lambda m: m.settings.hidden == 32)
        parameters = 784 * 32 + 32 + 32 * 10 + 10
        assert sum(layer.parameters for layer in configured.layers) == parameters
        measured = driver.until(LessonMeasured, lambda m: m.anatomy.high_water.parameters < P)
        assert measured.anatomy.high_water.gradients == 4 * parameters


@pytest.mark.parametrize("begun_anew", [False, True])
def test_an_evaluation_of_another_model_is_measured_anew(library, begun_anew):
    """The peak: parameters, Adam's state, 1,000 images, and ReLU's input and output."""

    def peak(hidden):
        parameters = 4 * (784 * hidden + hidden + hidden * 10 + 10)
        return 3 * parameters + 16 + 1000 * (3_136 + 8) + 2 * 1000 * 4 * hidden

    wider = Settings(batch_size=1000, hidden=256)
    with running(library, Settings(batch_size=1000)) as driver:
        assert driver.until(Evaluated).peak.total == peak(128)
        driver.send(Reset(1, wider) if begun_anew else Change(1, hidden=256))
        driver.until(Configured, lambda message: message.settings.hidden == 256)
        assert driver.until(Evaluated).peak.total == peak(256)


def test_a_change_that_cannot_be_is_answered_and_changes_nothing(library):
    with running(library) as driver:
        driver.until(LessonSample)
        driver.send(Change(5, batch_size=6_001))
        answer = driver.until(Answer)
        assert answer.command == 5
        assert "1 to 6,000" in (answer.error or "")
        assert driver.until(LessonMeasured).batch_size == 64


def test_a_reset_begins_with_the_initial_parameters(library):
    expected = whole(library, Settings(batch_size=128), 5).losses
    with running(library, steps=20, every_step=True) as driver:
        driver.ended()
        driver.send(Reset(1, Settings(batch_size=128), 5))
        driver.ended()
    assert driver.losses[20:] == expected
