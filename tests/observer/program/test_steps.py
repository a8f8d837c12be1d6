"""Steps are noted when they are made, and counted when somebody asks."""

from __future__ import annotations

import pytest
import torch
from vramtop.observer.program import steps as module
from vramtop.observer.program.pacing import Pacing
from vramtop.observer.program.steps import Steps


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(module, "perf_counter", lambda: now[0])
    return now


def test_each_optimizers_steps_are_counted() -> None:
    steps = Steps(Pacing())
    assert steps.most is None
    for optimizer in (1, 2, 1):
        steps.made(optimizer)
    assert steps.most == 2
    assert steps.recent() == [1, 2, 1]


def test_those_within_backward_passes_are_not() -> None:
    steps = Steps(Pacing())
    weight = torch.ones(3, requires_grad=True)

    def update(_: torch.Tensor) -> None:
        steps.made(1)

    weight.register_post_accumulate_grad_hook(update)
    weight.sum().backward()
    assert weight.grad is not None
    assert steps.most is None
    assert not steps.stepping


def test_a_watched_step_breaks_off_the_times(clock: list[float]) -> None:
    pacing = Pacing()
    steps = Steps(pacing)
    for seconds, plain in ((0.0, True), (0.25, True), (9.0, False), (8.0, True), (0.25, True)):
        clock[0] += seconds
        steps.made(1, plain=plain)
    assert steps.most == 5
    assert pacing.step_seconds == 0.25
    assert not steps.idle
    clock[0] += 1.5
    assert steps.idle


def test_times_are_those_between_two_steps_of_the_same_optimizer(clock: list[float]) -> None:
    pacing = Pacing()
    steps = Steps(pacing)
    for _ in range(3):
        for optimizer, seconds in ((1, 0.25), (2, 0.125)):
            clock[0] += seconds
            steps.made(optimizer)
    assert steps.most == 3
    assert pacing.step_seconds == 0.375
