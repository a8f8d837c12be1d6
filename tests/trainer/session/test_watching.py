"""Which steps are recorded, by a clock that moves only during steps."""

from itertools import pairwise

import pytest
from vramtop.trainer.session import watching
from vramtop.trainer.session.watching import Schedule


def _pass(schedule, *, full=True):
    """Pass a step; whether it was recorded."""
    due = schedule.due(full=full)
    schedule.passed(full=full, recorded=due)
    return due


def recorded_in(monkeypatch, *, seconds, step, accumulation=1):
    """The times at which steps of `step` seconds are recorded, once the settings have settled."""
    now = 0.0
    monkeypatch.setattr(watching.time, "monotonic", lambda: now)
    schedule, recorded = Schedule(accumulation), []
    while now < seconds:
        settled, due = schedule.settled, schedule.due(full=True)
        began, now = now, now + step  # the step takes its time before it has passed
        schedule.passed(full=True, recorded=due)
        if settled and due:
            recorded.append(began)
    return recorded


def test_steps_are_recorded_until_two_full_ones_were(monkeypatch):
    monkeypatch.setattr(watching.time, "monotonic", lambda: 0.0)
    schedule = Schedule(1)
    recorded = [_pass(schedule, full=full) for full in (True, False, True, True)]
    assert recorded == [True, True, True, False]


def test_afterwards_a_step_is_recorded_twice_a_second(monkeypatch):
    recorded = recorded_in(monkeypatch, seconds=100, step=0.001)
    assert len(recorded) == pytest.approx(200, abs=2)
    assert min(after - before for before, after in pairwise(recorded)) >= 0.5


def test_a_step_of_several_batches_is_recorded_so_many_times_more_rarely(monkeypatch):
    recorded = recorded_in(monkeypatch, seconds=100, step=0.004, accumulation=4)
    assert len(recorded) == pytest.approx(50, abs=2)


def test_of_long_steps_every_other_is_plain(monkeypatch):
    recorded = recorded_in(monkeypatch, seconds=100, step=2)
    assert recorded == [2.0 * at for at in range(3, 50, 2)]


def test_a_change_is_recorded_at_once_and_until_it_has_settled(monkeypatch):
    monkeypatch.setattr(watching.time, "monotonic", lambda: 0.0)
    schedule = Schedule(1)
    for _ in range(3):
        _pass(schedule)
    schedule.unsettle(1)
    assert not schedule.settled
    assert [_pass(schedule) for _ in range(3)] == [True, True, False]
