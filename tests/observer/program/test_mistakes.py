"""A mistake of the observer's, wherever it happens, removes it; the program goes on as without."""

from __future__ import annotations

import pytest
import torch
from training_with_places import Training, plain
from vramtop.observer.program import (
    device_log,
    hooks,
    lines,
    operator_recorder,
    owners,
    pacing,
    periods,
    steps,
    window,
    windows,
)
from watched import hooks_in, wait_until, watched

pytestmark = pytest.mark.usefixtures("nothing_else_there", "nothing_is_left")
FAULTS: tuple[tuple[object, str], ...] = (
    (hooks.Hooks, "watch_modules"),
    (hooks.Hooks, "watch_optimizers"),
    (window.Window, "__init__"),
    (window.Window, "begin"),
    (window.Window, "call"),
    (window.Window, "call_end"),
    (window.Window, "backward"),
    (window.Window, "backward_end"),
    (window.Window, "optimizer"),
    (window.Window, "optimizer_end"),
    (window.Window, "close"),
    (window.Window, "messages"),
    (windows, "fitting_recorder"),
    (periods.Periods, "optimizer"),
    (pacing.Pacing, "spend"),
    (pacing.Pacing, "wait"),
    (steps.Steps, "made"),
    (steps.Steps, "_count"),
    (owners.Owners, "search"),
    (owners.Owners, "parameters"),
    (owners.Owners, "optimizer_state"),
    (operator_recorder.OperatorRecorder, "start"),
    (operator_recorder.OperatorRecorder, "recorded"),
    (operator_recorder, "stored_on"),
    (operator_recorder, "writes"),
    (device_log.DeviceLog, "mark"),
    (device_log.DeviceLog, "sight"),
    (device_log.DeviceLog, "message"),
    (lines.Lines, "here"),
)


@pytest.mark.parametrize(
    ("owner", "name"), FAULTS, ids=lambda each: getattr(each, "__name__", each)
)
def test_a_mistake_of_the_observers_removes_it_and_the_program_goes_on(
    owner: object, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistake(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a mistake")

    before = hooks_in()
    training = Training()
    with watched() as observed:
        for _ in range(10):
            training.step()
        with monkeypatch.context() as patched:
            patched.setattr(owner, name, mistake)
            if name == "watch_modules":
                patched.setattr(steps, "_IDLE_SECONDS", 0.0)
            wait_until(lambda: bool(observed.of("removed")), training.step)
            wait_until(lambda: hooks_in() == before, lambda: _calls(training))
        for _ in range(10):
            training.step()
    assert training.made() == plain(training.steps)
    assert len(observed.of("removed")) == 1


def _calls(training: Training) -> None:
    with torch.no_grad():
        training.model(torch.zeros(1, 12))


def test_a_mistake_while_everything_is_taken_out_does_not_reach_the_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    training = Training()
    failed = []

    def mistake(*_: object, **__: object) -> None:
        failed.append(True)
        if len(failed) < 5:
            raise ZeroDivisionError("a mistake")
        leave(observed.agent._windows.hooks)

    leave = hooks.Hooks.leave_modules
    with watched() as observed:
        monkeypatch.setattr(hooks.Hooks, "leave_modules", mistake)
        wait_until(lambda: bool(observed.of("removed")), training.step)
    assert len(observed.of("removed")) == 1
