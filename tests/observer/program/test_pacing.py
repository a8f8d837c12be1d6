"""Steps are watched as often as costs one part in a hundred, and at most twice a second."""

from __future__ import annotations

import pytest
import torch
from vramtop.observer.program import pacing
from vramtop.observer.program.agent import Agent
from vramtop.observer.program.numbers import Numbers
from vramtop.observer.program.operator_recorder import OperatorRecorder
from vramtop.observer.program.pacing import Pacing
from vramtop.observer.program.periods import Periods
from vramtop.observer.program.window import Window
from watched import wait_until, watched


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(pacing.time, "perf_counter", lambda: now[0])
    return now


def test_the_first_is_due_at_once() -> None:
    assert Pacing().wait() == 0


def test_what_costs_little_is_due_twice_a_second(clock: list[float]) -> None:
    paces = Pacing()
    clock[0] += 50
    paces.spend(0.001)
    assert paces.wait() == pytest.approx(0.5)


def test_after_the_first_which_costs_more_each_leaves_it_at_one_part_in_a_hundred(
    clock: list[float],
) -> None:
    paces = Pacing()
    clock[0] += 1
    paces.spend(0.5)
    clock[0] += paces.wait()
    assert paces.spent / paces.seconds == pytest.approx(pacing.MOST_SHARE)
    paces.spend(0.1)
    for _ in range(3):
        clock[0] += paces.wait()
        paces.spend(0.1)
        assert paces.spent / paces.seconds == pytest.approx(pacing.MOST_SHARE)


def test_what_is_spent_once_makes_the_next_ones_wait_for_nothing(clock: list[float]) -> None:
    paces = Pacing()
    paces.once = 0.4
    paces.spend(0.5)
    paces.spend(0.1)
    clock[0] += paces.wait()
    assert paces.spent == pytest.approx(0.6)
    assert (paces.spent - paces.once + 0.1) / paces.seconds == pytest.approx(pacing.MOST_SHARE)


@pytest.mark.parametrize(("step", "left"), [(3.0, 1), (2e-3, 2 / 3), (1e-6, 0.25)])
def test_where_steps_are_short_their_notes_take_a_part_of_the_share(
    clock: list[float], step: float, left: float
) -> None:
    paces = Pacing()
    paces.plain_step(step)
    for _ in range(4):
        paces.spend(0.1)
        clock[0] += paces.wait()
    paces.spend(0.1)
    assert paces.spent / paces.seconds == pytest.approx(left * pacing.MOST_SHARE, rel=1e-3)


def test_what_comes_to_nothing_is_tried_again_soon_and_each_time_later(clock: list[float]) -> None:
    paces = Pacing()
    for pause in (0.5, 1, 2):
        paces.spend_in_vain(0.1)
        assert paces.wait() == pytest.approx(pause)
        clock[0] += pause
    paces.spend_in_vain(0.1)
    clock[0] += paces.wait()
    paces.spend_in_vain(0.1)
    assert paces.spent / paces.seconds == pytest.approx(pacing.MOST_SHARE)
    clock[0] += 10_000
    for _ in range(2000):
        paces.spend_in_vain(0.0)
    assert paces.wait() == pytest.approx(64)
    paces.spend(0.0)
    assert paces.wait() == pytest.approx(0.5)
    paces.spend_in_vain(0.1)
    assert paces.wait() == pytest.approx(0.5)


def test_the_time_of_a_step_is_the_median_of_plain_ones() -> None:
    paces = Pacing()
    assert paces.step_seconds is None
    for seconds in (0.1, 9.0, 0.2):
        paces.plain_step(seconds)
    assert paces.step_seconds == 0.2


def test_the_search_of_who_holds_what_is_time_of_watching() -> None:
    with watched() as seen:
        wait_until(lambda: len(seen.of("progress")) > 0)
        assert seen.of("progress")[0]["watching_seconds"] == 0
        seen.agent.who("cpu", [12345])
        wait_until(lambda: bool(seen.of("holders")))
        told = len(seen.of("progress"))
        wait_until(lambda: len(seen.of("progress")) > told)
        assert seen.of("progress")[-1]["watching_seconds"] > 0  # type: ignore[operator]


def test_a_window_costs_what_it_took_beyond_its_steps_if_the_one_before_did_too() -> None:
    windows = Agent(lambda _: None, since_start=False)._windows
    windows.pacing.plain_step(1.0)
    recorder = OperatorRecorder(torch.device("cpu"), Numbers())
    window = Window(recorder, windows.owners, Periods())
    costs = []
    for seconds in (3.0, 60.0, 2.5, 2.25):  # in the second one the program evaluates
        window.seconds = seconds
        costs.append(windows.cost(window, spent=0.125))
    assert costs == [0.125, 1.0, 0.5, 0.25]
    windows.searching = 4.0
    assert windows.cost(window, spent=4.125) == 4.25
