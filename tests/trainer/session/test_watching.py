"""Which steps are recorded, by a clock that moves only during steps."""

from itertools import pairwise

import pytest
from vramtop.trainer.session import watching
from vramtop.trainer.session.watching import Schedule


def seen_in(monkeypatch, *, seconds, step, accumulation=1):
    """The times at which steps of so many seconds are recorded, once the settings have settled."""
    now = 0.0
    monkeypatch.setattr(watching.time, "monotonic", lambda: now)
    schedule, looked = Schedule(accumulation), []
    while now < seconds:
        settled, due = schedule.settled, schedule.due(full=True)
        began, now = now, now + step
        schedule.passed(full=True, recorded=due)
        if settled and due:
            looked.append(began)
    return looked


def test_the_first_two_full_steps_are_looked_at_and_short_ones_beside(monkeypatch):
    monkeypatch.setattr(watching.time, "monotonic", lambda: 0.0)
    schedule, seen = Schedule(1), []
    for full in (True, False, True, True):
        seen.append(schedule.due(full=full))
        schedule.passed(full=full, recorded=seen[-1])
    assert seen == [True, True, True, False]


def test_afterwards_a_step_is_looked_at_twice_a_second(monkeypatch):
    looked = seen_in(monkeypatch, seconds=100, step=0.001)
    assert len(looked) == pytest.approx(200, abs=2)
    assert min(after - before for before, after in pairwise(looked)) >= 0.5


def test_a_step_that_adds_up_batches_is_looked_at_so_many_times_more_rarely(monkeypatch):
    looked = seen_in(monkeypatch, seconds=100, step=0.004, accumulation=4)
    assert len(looked) == pytest.approx(50, abs=2)


def test_of_long_steps_every_other_is_plain(monkeypatch):
    looked = seen_in(monkeypatch, seconds=100, step=2)
    assert looked == [2.0 * at for at in range(3, 50, 2)]


def test_a_change_is_looked_at_at_once_and_until_it_has_settled(monkeypatch):
    monkeypatch.setattr(watching.time, "monotonic", lambda: 0.0)
    schedule = Schedule(1)
    for _ in range(3):
        schedule.passed(full=True, recorded=schedule.due(full=True))
    schedule.unsettle(1)
    assert not schedule.settled
    assert [_pass(schedule) for _ in range(3)] == [True, True, False]


def _pass(schedule):
    due = schedule.due(full=True)
    schedule.passed(full=True, recorded=due)
    return due
