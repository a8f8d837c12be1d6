"""The session, driven through its inbox and read through its outbox, on the sample that ships."""

import queue
import threading
from contextlib import contextmanager

import msgspec
import pytest
import torch
from torch import nn
from vramtop.trainer.batches import Batches
from vramtop.trainer.datasets import Library
from vramtop.trainer.outbox import Outbox
from vramtop.trainer.protocol import (
    Advance,
    Answer,
    Change,
    Configured,
    Ended,
    Evaluated,
    Flow,
    GiveBack,
    Measured,
    Note,
    OutOfMemory,
    Pause,
    Picture,
    Reset,
    Sample,
    ShowImage,
    SlowMotion,
    Start,
    Stop,
)
from vramtop.trainer.session import Session
from vramtop.trainer.settings import SettingError, Settings
from vramtop.trainer.training import Training
from vramtop.trainer.watching import Schedule

P = 407_080  # bytes of 101,770 parameters
WAIT_SECONDS = 20


@pytest.fixture(scope="module")
def library():
    return Library(None)


class Driver:
    """Sends commands to a running session and waits for what it says."""

    def __init__(self, outbox, inbox):
        self.outbox = outbox
        self.inbox = inbox
        self.seen = []
        self._fresh = []

    def send(self, command):
        self.inbox.put(command)

    def until(self, kind, condition=lambda _: True):
        """The next message of a kind for which the condition holds."""
        while True:
            while self._fresh:
                message = self._fresh.pop(0)
                self.seen.append(message)
                if isinstance(message, kind) and condition(message):
                    return message
            self._fresh = self.outbox.take()
            assert self._fresh, f"the session ended without {kind.__name__}"


@contextmanager
def running(library, settings=None, **start):
    outbox = Outbox(patient=start.get("every_step", False))
    inbox = queue.SimpleQueue()
    session = Session(
        Start(1, settings or Settings(device="cpu"), **start),
        torch.device("cpu"),
        library.load,
        outbox,
        inbox,
    )

    def run():
        try:
            session.run()
        finally:
            outbox.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield Driver(outbox, inbox)
    finally:
        inbox.put(Stop())
        outbox.close()
        thread.join(WAIT_SECONDS)
        assert not thread.is_alive()


def losses(library, settings, steps, *, observe=True):
    with running(library, settings, steps=steps, every_step=True, observe=observe) as driver:
        driver.until(Ended)
        return [message.loss for message in driver.seen if isinstance(message, Sample)]


def test_losses_are_the_same_to_the_bit_with_and_without_observation(library):
    settings = Settings(batch_size=256)
    assert losses(library, settings, 40) == losses(library, settings, 40, observe=False)


def test_a_run_of_so_many_steps_ends_after_them(library):
    with running(library, steps=7, every_step=True) as driver:
        assert driver.until(Ended) == Ended(7, 7 * 64)
        assert sum(isinstance(message, Sample) for message in driver.seen) == 7


def test_a_batch_size_change_keeps_parameters_and_place_and_is_measured_at_once(library):
    with running(library, every_step=True) as driver:
        before = driver.until(Sample, lambda sample: sample.step == 30)
        driver.send(Change(1, batch_size=128))
        configured = driver.until(Configured, lambda message: message.settings.batch_size == 128)
        measured = driver.until(Measured)
        after = driver.until(Sample)
        assert configured.formula.batch_data == 3_136 * 128
        assert measured.batch_size == 128
        assert measured.anatomy.high_water.batch_data == (3_136 + 8) * 128
        batch = measured.tensors["batch_data"].largest
        assert [(facts.name, facts.bytes) for facts in batch] == [
            ("inputs", 3_136 * 128),
            ("targets", 8 * 128),
        ]
        assert after.position == last_position(driver, 64) + 128
        assert after.loss < before.loss + 0.5  # not begun anew, where it is above 2.2


def last_position(driver, batch_size):
    """Images of the epoch trained on with the last step of this batch size."""
    samples = [message for message in driver.seen if isinstance(message, Sample)]
    return max(sample.position for sample in samples if sample.batch_size == batch_size)


def test_a_settled_step_begins_with_the_optimizers_state(library):
    with running(library, steps=3, every_step=True) as driver:
        first, second = driver.until(Measured), driver.until(Measured)
    assert (first.settled, second.settled) == (False, True)
    assert first.anatomy.boundaries["load"].optimizer_state == 0
    assert second.anatomy.boundaries["load"].optimizer_state == 2 * P + 16


def test_switching_the_optimizer_keeps_the_parameters(library):
    with running(library, every_step=True) as driver:
        driver.until(Sample, lambda sample: sample.step == 60)
        driver.send(Change(1, optimizer="sgd"))
        driver.until(Configured, lambda message: message.settings.optimizer == "sgd")
        measured, sample = driver.until(Measured), driver.until(Sample)
    assert measured.anatomy.high_water.optimizer_state == 0
    assert sample.step > 60
    assert sample.loss < 1.5


def test_a_change_that_cannot_be_is_answered_and_changes_nothing(library):
    with running(library) as driver:
        driver.until(Sample)
        driver.send(Change(5, batch_size=6_001))
        answer = driver.until(Answer)
        assert answer.command == 5
        assert "1 to 6,000" in (answer.error or "")
        assert driver.until(Measured).batch_size == 64


def test_a_paused_training_goes_phase_by_phase(library):
    with running(library) as driver:
        driver.until(Measured, lambda measured: measured.settled)
        driver.send(Pause(1, True))
        driver.until(Flow, lambda flow: flow.paused)
        held = []
        for command in range(2, 6):
            driver.send(Advance(command))
            held.append(driver.until(Sample, lambda s: s.phase != "zero_grad"))
        assert [sample.phase for sample in held] == ["load", "forward", "backward", "optimizer"]
        assert [sample.split.gradients for sample in held] == [0, 0, P, P]
        assert [sample.split.activations for sample in held] == [0, 592 * 64 + 8, 2_564, 2_564]
        driver.send(Pause(9, False))
        driver.until(Flow, lambda flow: not flow.paused)
        driver.until(Sample, lambda sample: sample.step > held[-1].step + 1)


def test_the_loss_begins_with_the_log_softmax_of_a_moment_of_forward(library):
    with running(library) as driver:
        anatomy = driver.until(Measured, lambda measured: measured.settled).anatomy
    before, first = anatomy.curve[anatomy.loss - 1], anatomy.curve[anatomy.loss]
    assert anatomy.operators[first.operator] == "aten._log_softmax.default"
    assert (before.phase, first.phase) == ("forward", "forward")
    # The logits are there already, and the loss holds as much of its own.
    assert first.split.activations - before.split.activations == 40 * 64


def test_slow_motion_holds_every_boundary_and_ends_when_told(library):
    with running(library) as driver:
        driver.until(Measured, lambda measured: measured.settled)
        driver.send(SlowMotion(1, True))
        sample = driver.until(Sample, lambda sample: sample.phase == "load")
        assert sample.split.batch_data == (3_136 + 8) * 64
        driver.send(SlowMotion(2, False))
        driver.until(Sample, lambda later: later.step > sample.step + 5)


def test_slow_motion_is_as_slow_as_it_is_asked_to_be(library):
    with running(library) as driver:
        driver.until(Measured, lambda measured: measured.settled)
        driver.send(SlowMotion(1, True, seconds=1e-4))
        first = driver.until(Sample, lambda sample: sample.phase == "load")
        later = driver.until(Sample, lambda sample: sample.step > first.step + 5)
        assert later.split is not None


def test_an_epoch_sees_each_image_once_and_ends_with_an_evaluation(library):
    settings = Settings(batch_size=1000)
    with running(library, settings, steps=12, every_step=True) as driver:
        driver.until(Ended)
    evaluated = [message for message in driver.seen if isinstance(message, Evaluated)]
    assert [message.epoch for message in evaluated] == [1, 2]
    # Parameters and Adam's state stay; 1,000 images, their targets, and ReLU before and after.
    assert evaluated[0].peak.batch_data == 1000 * (3_136 + 8)
    assert evaluated[0].peak.total == 3 * P + 16 + 1000 * (3_136 + 8) + 1000 * 1024
    samples = [message for message in driver.seen if isinstance(message, Sample)]
    assert [sample.position for sample in samples] == [1000 * n for n in range(1, 7)] * 2


def test_evaluation_never_leaks_into_a_steps_peak(library):
    with running(library, steps=300, every_step=True) as driver:
        driver.until(Ended)
    peaks = {m.anatomy.peak.bytes for m in driver.seen if isinstance(m, Measured) and m.settled}
    assert peaks == {3 * P + 16 + P + (3_136 + 48) * 64 + 4 + 2 * 401_408}


def test_out_of_memory_brings_the_last_batch_size_back_with_its_parameters(library):
    settings = Settings(budget=6_000_000)
    with running(library, settings, every_step=True) as driver:
        driver.until(Measured, lambda measured: measured.settled)
        driver.send(Change(1, batch_size=2048))
        failure = driver.until(OutOfMemory)
        back = driver.until(Configured)
        before = [message for message in driver.seen if isinstance(message, Sample)][-1]
        after = driver.until(Sample)
    assert failure.batch_size == 2048
    assert failure.restored == 64
    assert failure.limit == 6_000_000
    assert failure.needed > 6_000_000
    assert failure.split.total <= failure.needed
    assert back.settings.batch_size == 64
    # The very next step, as if nothing had happened: no image lost, none trained on twice.
    assert (after.step, after.position) == (before.step + 1, before.position + 64)
    assert after.loss == losses(library, Settings(), after.step)[-1]


def test_a_first_batch_that_does_not_fit_waits_for_one_that_does(library):
    settings = Settings(batch_size=4096, budget=6_000_000)
    with running(library, settings) as driver:
        assert driver.until(OutOfMemory).restored is None
        driver.send(Change(1, batch_size=16))
        assert driver.until(Measured).batch_size == 16


def test_a_batch_that_does_not_fit_is_not_even_made(library, monkeypatch):
    made = []
    take = Batches.next
    monkeypatch.setattr(Batches, "next", lambda *given: made.append(given[1]) or take(*given))
    with running(library, Settings(optimizer="sgd", budget=3_000_000)) as driver:
        driver.until(Measured, lambda measured: measured.settled)
        driver.send(Change(1, batch_size=4096))
        shortage = driver.until(OutOfMemory)
    assert shortage.operator == "batch"
    assert shortage.needed == P + (3136 + 8) * 4096
    assert shortage.split.total == P
    assert 4096 not in made


def test_a_machine_without_memory_brings_the_last_batch_size_back(library, monkeypatch):
    take = Batches.next

    def next_batch(batches, size):
        if size == 2048:
            torch.empty(2**52, dtype=torch.uint8)  # more than any machine has
        return take(batches, size)

    monkeypatch.setattr(Batches, "next", next_batch)
    with running(library) as driver:
        driver.until(Measured, lambda measured: measured.settled)
        driver.send(Change(1, batch_size=2048))
        failure = driver.until(OutOfMemory)
        driver.until(Measured, lambda measured: measured.batch_size == 64)
    assert (failure.batch_size, failure.restored, failure.needed) == (2048, 64, None)
    assert "can't allocate memory" in failure.detail


def test_an_optimizer_that_does_not_fit_gives_way_to_the_one_before(library):
    budget = 2 * P + 512 * 3_200 + 512 * 1_576 + 5_168
    settings = Settings(batch_size=512, optimizer="sgd", budget=budget)
    with running(library, settings, every_step=True) as driver:
        driver.until(Measured, lambda measured: measured.settled)
        driver.send(Change(1, optimizer="adam"))
        assert driver.until(OutOfMemory).restored == 512
        assert driver.until(Configured).settings.optimizer == "sgd"
        driver.until(Sample)


def test_a_reset_begins_with_the_initial_parameters(library):
    expected = losses(library, Settings(batch_size=128), 5)
    with running(library, steps=20, every_step=True) as driver:
        driver.until(Ended)
        driver.send(Reset(1, Settings(batch_size=128), 5))
        driver.until(Ended)
    samples = [message for message in driver.seen if isinstance(message, Sample)]
    assert [sample.loss for sample in samples[20:]] == expected


@pytest.mark.parametrize(("batch_size", "accumulation"), [(64, 1), (4_096, 1), (64, 8)])
def test_a_goal_in_images_is_met_to_the_image_and_tested_once(library, batch_size, accumulation):
    goal = {"images": 6_500, "evaluate": True, "every_step": True}
    settings = Settings(batch_size=batch_size, accumulation=accumulation)
    with running(library, settings, **goal) as driver:
        assert driver.until(Ended).images == 6_500
    seen = [message for message in driver.seen if isinstance(message, (Evaluated, Ended))]
    # At the end of the first epoch, and at that of all.
    assert [type(message) for message in seen] == [Evaluated, Evaluated, Ended]
    assert [message.epoch for message in seen[:2]] == [1, 2]


def test_a_goal_at_an_epochs_end_needs_no_second_test(library):
    with running(library, images=6_000, evaluate=True, every_step=True) as driver:
        driver.until(Ended)
    assert [type(m) for m in driver.seen].count(Evaluated) == 1


def test_a_session_told_to_stop_is_not_tested_any_more(library):
    with running(library, Settings(batch_size=1), images=10**9, evaluate=True) as driver:
        driver.until(Sample)
        driver.send(Stop())
        assert driver.until(Ended).images < 6_000
    assert not any(isinstance(message, Evaluated) for message in driver.seen)


def test_the_same_images_come_in_the_same_order_whatever_the_batch_size(library):
    data = library.load("mnist")
    small, large = Batches(data, 42), Batches(data, 42)
    pieces = [small.next(100).targets for _ in range(75)]
    whole = [large.next(size).targets for size in (6_000, 1_500)]
    assert torch.equal(torch.cat(pieces), torch.cat(whole))


def test_every_batch_size_begins_with_the_same_parameters(library):
    data = library.load("mnist")
    first, second = (
        Training(Settings(batch_size=size), data, torch.device("cpu")).model.state_dict()
        for size in (64, 4_096)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_another_hidden_width_is_another_model(library):
    with running(library) as driver:
        driver.until(Sample)
        driver.send(Change(1, hidden=32))
        configured = driver.until(Configured, lambda m: m.settings.hidden == 32)
        parameters = 784 * 32 + 32 + 32 * 10 + 10
        assert sum(layer.parameters for layer in configured.layers) == parameters
        measured = driver.until(Measured, lambda m: m.anatomy.high_water.parameters < P)
        assert measured.anatomy.high_water.gradients == 4 * parameters


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (Settings(batch_size=6_001), "1 to 6,000"),
        (Settings(batch_size=0), "1 to 6,000"),
        (Settings(budget=P - 1), "does not hold the model"),
        (Settings(hidden=0), "1 to 65,536"),
        (Settings(learning_rate=-1.0), "above 0"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_the_start(library, settings, says):
    with pytest.raises(SettingError, match=says):
        Session(
            Start(1, settings), torch.device("cpu"), library.load, Outbox(), queue.SimpleQueue()
        )


def test_an_evaluation_that_does_not_fit_goes_on_in_halves_and_remembers(library):
    settings = Settings(optimizer="sgd", batch_size=60, budget=2_097_152)
    with running(library, settings) as driver:
        driver.until(Evaluated)
        driver.send(Change(1, batch_size=100))
        driver.until(Configured, lambda configured: configured.settings.batch_size == 100)
        driver.until(Evaluated)
    refused = [message for message in driver.seen if isinstance(message, OutOfMemory)]
    assert [(message.batch_size, message.restored) for message in refused] == [
        (1000, 500),
        (500, 250),
    ]
    assert all(message.phase == "evaluation" for message in refused)
    (peak,) = {message.peak.batch_data for message in driver.seen if isinstance(message, Evaluated)}
    assert peak == 250 * (3_136 + 8)


def fail_after(monkeypatch, owner, name, calls, *, before=id, times=1):
    """Let the method run out of memory in the calls after so many, as if others had it."""
    method, made = getattr(owner, name), []

    def run(self, *given, **named):
        made.append(1)
        if calls < len(made) <= calls + times:
            before(self)
            raise torch.OutOfMemoryError("others took it")
        return method(self, *given, **named)

    monkeypatch.setattr(owner, name, run)


@pytest.fixture
def unwatched(monkeypatch):
    """Only the steps after a change are recorded, until they have settled."""
    monkeypatch.setattr(Schedule, "due", lambda schedule, **_: not schedule.settled)


@pytest.mark.usefixtures("unwatched")
def test_a_plain_step_that_lacks_memory_is_taken_once_more_and_nothing_is_lost(
    library, monkeypatch
):
    expected = losses(library, Settings(), 60)
    fail_after(monkeypatch, nn.CrossEntropyLoss, "forward", 50)
    with running(library, every_step=True, steps=60) as driver:
        told = driver.until(Note).text
        driver.until(Ended)
    assert told == "out of memory in forward: the step is taken again, with the cache given back"
    samples = [message for message in driver.seen if isinstance(message, Sample)]
    assert [sample.loss for sample in samples] == expected
    assert not any(isinstance(message, OutOfMemory) for message in driver.seen)


@pytest.mark.usefixtures("unwatched")
def test_a_shortage_of_what_has_long_worked_keeps_everything_and_waits(library, monkeypatch):
    expected = losses(library, Settings(), 60)
    fail_after(monkeypatch, nn.CrossEntropyLoss, "forward", 50, times=2)
    with running(library, every_step=True) as driver:
        shortage = driver.until(OutOfMemory)
        driver.send(Change(1, learning_rate=0.001))
        driver.until(Sample, lambda sample: sample.step == 60)
    assert (shortage.restored, shortage.back, shortage.phase) == (None, None, "forward")
    assert shortage.split.parameters == P
    samples = [message for message in driver.seen if isinstance(message, Sample)]
    assert [sample.loss for sample in samples] == expected


@pytest.mark.usefixtures("unwatched")
def test_an_update_cut_short_is_taken_back(library, monkeypatch):
    def change_some(optimizer):
        with torch.no_grad():
            optimizer.param_groups[0]["params"][0].add_(1)

    expected = losses(library, Settings(), 12)
    with running(library, every_step=True) as driver:
        driver.until(Sample, lambda sample: sample.step == 10)
        driver.send(Pause(1, True))
        driver.until(Flow)
        step = max(message.step for message in driver.seen if isinstance(message, Sample))
        fail_after(monkeypatch, torch.optim.Adam, "step", 0, before=change_some)
        driver.send(Pause(2, False))
        driver.until(Note)
        again = driver.until(Sample)
    # Back to where it was last known to be whole: the second step, and on from there.
    assert step > 2
    assert (again.step, again.loss) == (3, expected[2])


def test_one_step_is_enough_to_come_back_to(library):
    with running(library, Settings(budget=6_000_000)) as driver:
        driver.send(Pause(1, True))
        for command in range(2, 8):
            driver.send(Advance(command))
        driver.until(Measured)
        driver.send(Change(9, batch_size=4096))
        driver.send(Pause(10, False))
        assert driver.until(OutOfMemory).restored == 64


@pytest.mark.parametrize(
    ("settings", "change"),
    [
        (Settings(optimizer="momentum"), {"batch_size": 4096}),
        (Settings(), {"hidden": 400}),
        (Settings(), {"dataset": "cifar10"}),
    ],
)
def test_after_a_change_that_did_not_fit_losses_go_on_to_the_bit(library, settings, change):
    limited = msgspec.structs.replace(settings, budget=6_000_000)
    with running(library, limited, every_step=True) as driver:
        driver.until(Sample, lambda sample: sample.step == 10)
        driver.send(Change(1, **change))
        driver.until(OutOfMemory)
        last = driver.until(Sample).step + 20
        driver.until(Sample, lambda sample: sample.step == last)
    samples = [message for message in driver.seen if isinstance(message, Sample)]
    assert [sample.loss for sample in samples] == losses(library, settings, last)


def test_losses_are_the_same_to_the_bit_with_every_step_observed(library):
    expected = losses(library, Settings(), 6, observe=False)
    with running(library, every_step=True, steps=6) as driver:
        driver.send(Pause(1, True))
        for command in range(2, 2 + 6 * 5):
            driver.send(Advance(command))
        driver.until(Ended)
    ends = [m for m in driver.seen if isinstance(m, Sample) and m.phase == "zero_grad"]
    assert [sample.loss for sample in ends] == expected
    assert sum(isinstance(message, Measured) for message in driver.seen) == 6


def test_an_evaluation_that_never_fits_is_tried_again_at_the_next_epochs_end(library, monkeypatch):
    tried = []

    def evaluate(_, batch_size, __):
        tried.append(batch_size)
        raise torch.OutOfMemoryError("others took it")

    monkeypatch.setattr(Training, "evaluate", evaluate)
    with running(library, Settings(batch_size=3000), steps=4) as driver:
        driver.until(Ended)
    assert tried == [1000, 500, 250, 125, 62, 31, 15, 7, 3, 1] * 2


def test_a_device_that_is_not_there_is_refused_and_the_training_stays_where_it_is(library):
    with running(library) as driver:
        driver.until(Sample)
        driver.send(Change(1, device="cuda:99"))
        assert "device cuda:99" in (driver.until(Answer).error or "")
        driver.send(GiveBack(2))
        assert driver.until(Note).text == "this device's allocator keeps no cache"
        driver.until(Sample)


# ---- images ---------------------------------------------------------------------------------


def looked_at(library, settings, steps):
    """The losses of a training whose images are looked at all along, and how many were seen."""
    with running(library, settings, steps=steps, every_step=True) as driver:
        for command in range(1, 16):
            driver.send(ShowImage(command))
            driver.until(Answer, lambda answer, at=command: answer.command == at)
        driver.until(Ended)
        pictures = sum(isinstance(message, Picture) for message in driver.seen)
        return [message.loss for message in driver.seen if isinstance(message, Sample)], pictures


def test_looking_at_images_changes_no_loss_to_the_bit(library):
    settings = Settings(batch_size=256)
    seen, pictures = looked_at(library, settings, 30)
    assert pictures == 15
    assert seen == losses(library, settings, 30)


def test_an_image_is_shown_while_the_training_is_paused(library):
    with running(library) as driver:
        driver.until(Sample)
        driver.send(Pause(1, paused=True))
        driver.until(Answer)
        driver.send(ShowImage(2))
        driver.send(ShowImage(3))
        assert [driver.until(Picture).index for _ in range(2)] == [0, 1]
        driver.send(ShowImage(4, 6_000))
        error = driver.until(Answer, lambda answer: answer.command == 4).error
        assert error == "there is no image 6,000; there are 0 to 5,999"


def test_an_image_seen_while_a_step_is_held_is_no_part_of_the_step(library):
    anatomies = []
    for looks in (0, 3):
        with running(library) as driver:
            driver.until(Measured, lambda measured: measured.settled)
            driver.send(Pause(1, paused=True))
            driver.until(Flow, lambda flow: flow.paused)
            for command in range(2, 6):
                driver.send(Advance(command))
                driver.until(Sample, lambda sample: sample.phase != "zero_grad")
                for _ in range(looks):
                    driver.send(ShowImage(command))
                    driver.until(Picture)
            driver.send(Advance(6))
            anatomies.append(driver.until(Measured).anatomy)
    assert anatomies[0] == anatomies[1]


def test_a_training_that_has_ended_still_shows_its_images(library):
    with running(library, steps=1) as driver:
        driver.until(Ended)
        driver.send(ShowImage(1, 5))
        assert driver.until(Picture).index == 5
