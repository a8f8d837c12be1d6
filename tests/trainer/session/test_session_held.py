"""A session that is paused, walked through phase by phase, or in slow motion."""

import queue

from driven import running, whole
from vramtop.protocol.commands import Advance, Pace, Pause, SlowMotion, Stop
from vramtop.protocol.lesson.messages import LessonMeasured, LessonSample
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import Answer, Flow
from vramtop.trainer.session import outbox, reports
from vramtop.trainer.session.conversation import Conversation
from vramtop.trainer.session.outbox import Outbox

P = 407_080  # bytes of 101,770 parameters


def test_a_paused_training_goes_phase_by_phase(library):
    with running(library) as driver:
        driver.settled()
        held = driver.walk(4)
        assert [sample.phase for sample in held] == ["load", "forward", "backward", "optimizer"]
        assert [sample.split.gradients for sample in held] == [0, 0, P, P]
        assert [sample.split.activations for sample in held] == [0, 592 * 64 + 8, 2_564, 2_564]
        driver.send(Pause(9, False))
        driver.until(Flow, lambda flow: not flow.paused)
        driver.until(LessonSample, lambda sample: sample.step > held[-1].step + 1)


def test_a_pause_cancels_the_phases_still_to_go():
    inbox, heard = queue.SimpleQueue(), []
    talk = Conversation(inbox, Outbox(), heard.append)
    for command in (Pause(1, True), Advance(2), Advance(3), Pause(4, True)):
        inbox.put(command)
    talk.listen()
    assert not talk.may_go()
    inbox.put(Advance(5))
    talk.listen()
    assert [talk.may_go(), talk.may_go()] == [True, False]


def test_the_end_of_a_walked_step_is_reported_however_soon_it_comes(library, monkeypatch):
    monkeypatch.setattr(reports, "SAMPLE_SECONDS", 3600)
    with running(library) as driver:
        driver.settled()
        driver.pause()
        for command in range(2, 7):
            driver.send(Advance(command))
        ends = driver.until(LessonMeasured).step  # the walked step is recorded
        end = driver.until(LessonSample, lambda last: last.step == ends and last.split)
        assert (end.split.gradients, end.split.activations) == (0, 2_564)


def test_the_last_step_before_a_pause_is_reported(library, monkeypatch):
    monkeypatch.setattr(reports, "SAMPLE_SECONDS", 3600)
    with running(library) as driver:
        driver.settled()
        driver.send(Pause(1, True))
        last = driver.until(LessonSample, lambda sample: sample.step > 1)
        assert last.split is None  # the pause is between steps
        driver.send(Advance(2))
        held = driver.until(LessonSample, lambda sample: sample.phase == "load")
        assert held.step == last.step


def test_slow_motion_holds_every_boundary_and_ends_on_command(library):
    with running(library) as driver:
        driver.settled()
        driver.send(SlowMotion(1, True))
        sample = driver.until(LessonSample, lambda sample: sample.phase == "load")
        assert sample.split.batch_data == (3_136 + 8) * 64
        driver.send(SlowMotion(2, False))
        driver.until(LessonSample, lambda later: later.step > sample.step + 5)


def test_slow_motion_is_as_slow_as_it_is_asked_to_be(library):
    with running(library) as driver:
        driver.settled()
        driver.send(SlowMotion(1, True, seconds=1e-4))
        first = driver.until(LessonSample, lambda sample: sample.phase == "load")
        later = driver.until(LessonSample, lambda sample: sample.step > first.step + 5)
        assert later.split is not None


def test_samples_come_as_often_as_they_are_wanted(library, monkeypatch):
    monkeypatch.setattr(reports, "SAMPLE_SECONDS", 0.0)
    monkeypatch.setattr(outbox, "PACE_SECONDS", 0.0)
    with running(library, steps=1_000, observe=False) as driver:
        driver.until(LessonSample)
        driver.send(Pace(1, 3600))
        driver.until(Answer)
        before = len(driver.all(LessonSample))
        driver.ended()
        # One may come with the answer, and one comes with the end.
        assert len(driver.all(LessonSample)) - before <= 2


def test_losses_are_the_same_to_the_bit_with_every_step_observed(library):
    expected = whole(library, Settings(), 6, observe=False).losses
    with running(library, every_step=True, steps=6) as driver:
        driver.send(Pause(1, True))
        for command in range(2, 2 + 6 * 5):
            driver.send(Advance(command))
        driver.ended()
    ends = [sample for sample in driver.all(LessonSample) if sample.phase == "zero_grad"]
    assert [sample.loss for sample in ends] == expected
    assert len(driver.all(LessonMeasured)) == 6


def test_the_step_during_which_a_stop_arrives_is_reported(library):
    with running(library, every_step=True) as driver:
        driver.at_step(20)
        driver.send(Stop())
        ended = driver.ended()
    assert [sample.step for sample in driver.all(LessonSample)] == list(range(1, ended.steps + 1))
