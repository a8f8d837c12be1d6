"""Whether an optimizer goes through its hooks, and what else a stack of frames tells."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_pre_hook
from vramtop.observer.program import hooks, windows
from vramtop.observer.program.hooks import (
    going_through_hooks,
    others_in_backward,
    within_module,
    within_step,
)
from watched import watched


def _sgd() -> torch.optim.SGD:
    parameter = nn.Parameter(torch.zeros(2))
    parameter.grad = torch.ones(2)
    return torch.optim.SGD([parameter], 0.1)


class Within:
    """Asks a question wherever it is called."""

    def __init__(self, question: Callable[[], bool]) -> None:
        self._question = question
        self.answers: list[bool] = []

    def __call__(self, *_: object) -> None:
        self.answers.append(self._question())


class Wrapper(torch.optim.Optimizer):
    """Steps by another one's step, as Lightning's and accelerate's do."""

    def __init__(self, inner: torch.optim.Optimizer) -> None:
        super().__init__(inner.param_groups, {})
        self._inner = inner

    def step(self, closure: Callable[[], Tensor] | None = None) -> None:  # type: ignore[override]
        self._inner.step(closure)


@pytest.mark.parametrize("wrapped", [False, True])
def test_hooks_are_gone_through_before_and_after_the_step_itself(wrapped: bool) -> None:
    optimizer: torch.optim.Optimizer = Wrapper(_sgd()) if wrapped else _sgd()
    before, during, after = (Within(going_through_hooks) for _ in range(3))
    optimizer.register_step_pre_hook(before)
    optimizer.register_step_post_hook(after)

    def closure() -> Tensor:
        during()
        return torch.zeros(1)

    optimizer.step(closure)  # type: ignore[arg-type]
    assert (before.answers, during.answers, after.answers) == ([True], [False], [True])
    assert not going_through_hooks()


def test_hooks_of_all_optimizers_count_too() -> None:
    asked = Within(going_through_hooks)
    handle = register_optimizer_step_pre_hook(asked)
    _sgd().step()
    handle.remove()
    assert asked.answers == [True]


def test_a_step_within_the_hook_of_another_optimizer_does_not_hide_it() -> None:
    outer, inner, asked = _sgd(), _sgd(), Within(going_through_hooks)
    outer.register_step_post_hook(lambda *_: inner.step(lambda: asked() or torch.zeros(1)))  # type: ignore[func-returns-value]
    outer.step()
    assert asked.answers == [True]


@pytest.mark.parametrize("through", [True, False])
def test_another_threads_hooks_are_seen(through: bool) -> None:
    optimizer, there, on = _sgd(), threading.Event(), threading.Event()

    def stay() -> Tensor:
        there.set()
        on.wait()
        return torch.zeros(1)

    def hook(*_: object) -> None:
        stay()

    if through:
        optimizer.register_step_pre_hook(hook)
    thread = threading.Thread(target=optimizer.step, args=() if through else (stay,))
    thread.start()
    there.wait()
    seen = going_through_hooks()
    on.set()
    thread.join()
    assert seen is through


def test_the_calls_of_modules_are_counted() -> None:
    counts: list[int] = []

    class Innermost(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            counts.append(next(own for own in range(9) if not within_module(own)))
            return inputs

    model = Innermost()
    for _ in range(3):
        model(torch.zeros(1))
        model = nn.Sequential(model)
    assert counts == [1, 2, 3]
    assert not within_module()


def test_a_step_is_one_also_in_its_closure_and_its_hooks() -> None:
    optimizer, asked = _sgd(), Within(within_step)
    optimizer.register_step_pre_hook(asked)
    optimizer.step(lambda: asked() or torch.zeros(1))  # type: ignore[func-returns-value]
    assert asked.answers == [True, True]
    assert not within_step()


def test_only_other_threads_backward_passes_are_others() -> None:
    there, on = threading.Event(), threading.Event()
    mine = Within(others_in_backward)

    def run(stay: Callable[[], object]) -> None:
        values = torch.zeros(2, requires_grad=True)
        values.register_hook(lambda _: stay() and None)
        values.sum().backward()

    def stay() -> None:
        there.set()
        on.wait()

    run(mine)
    thread = threading.Thread(target=run, args=(stay,))
    thread.start()
    there.wait()
    run(mine)
    on.set()
    thread.join()
    run(mine)
    assert mine.answers == [False, True, False]


def test_steps_are_waited_for_until_the_hooks_of_optimizers_are_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They can't be put in while an optimizer goes through its hooks, as short steps often do."""
    found = iter([True] * 5)
    asked = hooks.going_through_hooks
    monkeypatch.setattr(hooks, "going_through_hooks", lambda: next(found, False) or asked())
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step() -> None:
        model(torch.ones(3, 4)).sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    with watched(due=False) as seen:
        seen.until("watched_step", step)
        assert seen.of("watched_step")[0]["optimizer"] == "SGD"
    assert next(found, None) is None


def test_steps_are_bounded_otherwise_where_these_hooks_never_get_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hooks, "going_through_hooks", lambda: True)
    monkeypatch.setattr(windows, "_HOOKS_SECONDS", 0.1)
    model = nn.Linear(4, 2)
    with watched(due=False) as seen:
        seen.until("watched_step", lambda: model(torch.ones(3, 4)).sum().backward())
        assert seen.of("watched_step")[0]["kind"] == "training"
