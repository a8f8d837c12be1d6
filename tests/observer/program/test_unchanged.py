"""A program computes the same whether it is watched or not, to the last bit, and as randomly."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint
from vramtop.observer.program import pacing
from watched import classifier, held, hooks_in, randomness, seed, wait_until, watched

pytestmark = pytest.mark.usefixtures("nothing_else_there")
Made = list[object]
Program = Callable[[int], Made]


def _steps(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> Made:
    losses = []
    for _ in range(steps):
        inputs, targets = torch.randn(8, 12), torch.randint(4, (8,))
        loss = nn.functional.cross_entropy(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return [losses, held(model, optimizer)]


def adam(steps: int) -> Made:
    model = classifier()
    return _steps(model, torch.optim.Adam(model.parameters()), steps)


def dropout(steps: int) -> Made:
    model = classifier(nn.Dropout(0.3))
    return _steps(model, torch.optim.AdamW(model.parameters(), foreach=True), steps)


def batch_norm(steps: int) -> Made:
    model = classifier(nn.BatchNorm1d(16))
    return _steps(model, torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, fused=True), steps)


def lbfgs(steps: int) -> Made:
    model = classifier()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=4)
    inputs, targets = torch.randn(32, 12), torch.randint(4, (32,))

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(inputs), targets)
        loss.backward()
        return loss

    losses = [optimizer.step(closure).item() for _ in range(steps // 20)]
    return [losses, [each.tolist() for each in model.parameters()]]


def accumulation(steps: int) -> Made:
    model = classifier()
    optimizer = torch.optim.AdamW(model.parameters())
    for step in range(steps):
        nn.functional.cross_entropy(model(torch.randn(8, 12)), torch.randint(4, (8,))).backward()
        if step % 4 == 3:
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=False)
    return [held(model, optimizer)]


def checkpoints(steps: int) -> Made:
    blocks = nn.ModuleList(nn.Sequential(nn.Linear(12, 12), nn.Dropout(0.2)) for _ in range(2))
    optimizer = torch.optim.SGD(blocks.parameters(), 0.1)
    for _ in range(steps // 4):
        hidden = torch.randn(8, 12, requires_grad=True)
        for place, block in enumerate(blocks):
            hidden = checkpoint(block, hidden, use_reentrant=bool(place))
        hidden.square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    return [held(blocks, optimizer)]


def second_derivatives(steps: int) -> Made:
    model = classifier()
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(steps // 4):
        inputs = torch.randn(8, 12, requires_grad=True)
        (slope,) = torch.autograd.grad(model(inputs).sum(), inputs, create_graph=True)
        (slope.square().sum() + model(inputs).square().sum()).backward()
        optimizer.step()
        optimizer.zero_grad()
    return [held(model, optimizer)]


def transforms(steps: int) -> Made:
    model = classifier()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def loss(weights: dict[str, torch.Tensor], inputs: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(model, weights, (inputs,)).square().sum()

    for _ in range(steps // 20):
        weights = {name: each.detach() for name, each in model.named_parameters()}
        each = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(
            weights, torch.randn(4, 12)
        )
        for name, parameter in model.named_parameters():
            parameter.grad = each[name].mean(0)
        optimizer.step()
    return [held(model, optimizer)]


def inference(steps: int) -> Made:
    model = nn.Sequential(
        nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), nn.Linear(16, 4)
    ).eval()
    made = []
    with torch.inference_mode():
        for _ in range(steps // 4):
            made.append(model(torch.randn(2, 5, 16)).sum().item())
    return [made]


def evaluation_between(steps: int) -> Made:
    model = classifier(nn.BatchNorm1d(16))
    optimizer = torch.optim.Adam(model.parameters())
    made: Made = []
    for _ in range(steps // 50):
        made += _steps(model.train(), optimizer, 20)
        with torch.no_grad():
            made += [model.eval()(torch.randn(8, 12)).sum().item() for _ in range(10)]
    return made


PROGRAMS = (
    adam, dropout, batch_norm, lbfgs, accumulation, checkpoints, second_derivatives, transforms,
    inference, evaluation_between,
)  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_results_and_random_numbers_are_the_same_to_the_bit(program: Program) -> None:
    before = hooks_in()
    seed()
    plain = [program(200), randomness()]
    with warnings.catch_warnings(record=True) as warned, watched() as observed:
        warnings.simplefilter("always")
        seed()
        seen = [program(200), randomness()]
        observed.until("watched_step", lambda: program(40))
    assert seen == plain
    assert not [str(each.message) for each in warned]
    assert not observed.of("removed")
    assert hooks_in() == before


def test_a_program_that_calls_modules_only_within_transforms_is_told_of() -> None:
    model = classifier()
    weights = {name: each.detach() for name, each in model.named_parameters()}

    def loss(weights: dict[str, torch.Tensor], inputs: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(model, weights, (inputs,)).square().sum()

    def step() -> None:
        slopes = torch.func.grad(loss)(weights, torch.randn(4, 12))
        weights.update({name: each - 0.1 * slopes[name] for name, each in weights.items()})

    before = hooks_in()
    with watched() as observed:
        observed.until("missing", step)
        assert not observed.of("watched_step")
        assert observed.of("missing")[-1]["reason"] == (
            "modules are called only within torch.func, where none is watched"
        )
    assert not observed.of("removed")
    assert hooks_in() == before


def test_thousands_of_steps_are_the_same_to_the_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    seed()
    plain = adam(3000)
    # Rarely enough that it takes seconds, and 25 times as often as usual.
    monkeypatch.setattr(pacing, "LEAST_SECONDS", 0.02)
    monkeypatch.setattr(pacing, "MOST_SHARE", 1.0)
    with watched(due=False) as observed:
        seed()
        seen = adam(3000)
    assert seen == plain
    assert len(observed.of("watched_step")) > 10


def test_a_training_in_another_thread_is_watched_and_the_same() -> None:
    before = hooks_in()
    seed()
    plain = adam(300)
    made: list[Made] = []
    with watched() as observed:
        seed()
        thread = threading.Thread(target=lambda: made.append(adam(300)))
        thread.start()
        thread.join()
        wait_until(lambda: bool(observed.of("watched_step")))
    assert made == [plain]
    assert hooks_in() == before


def test_two_trainings_at_once_are_the_same() -> None:
    def train(data: torch.Generator, out: dict[int, Made], place: int) -> None:
        model = models[place]
        optimizer = torch.optim.Adam(model.parameters())
        for _ in range(300):
            optimizer.zero_grad()
            model(torch.randn(8, 12, generator=data)).square().sum().backward()
            optimizer.step()
        out[place] = [held(model, optimizer)]

    def both() -> dict[int, Made]:
        out: dict[int, Made] = {}
        threads = [
            threading.Thread(target=train, args=(torch.Generator().manual_seed(place), out, place))
            for place in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return out

    seed()
    models = [classifier(), classifier()]
    plain = both()
    seed()
    models = [classifier(), classifier()]
    with watched() as observed:
        seen = both()
        wait_until(lambda: bool(observed.of("watched_step")))
    assert seen == plain
    assert not observed.of("removed")


def test_a_window_in_a_thread_that_has_ended_makes_way() -> None:
    before = hooks_in()
    model = classifier()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step() -> None:
        model(torch.randn(8, 12)).sum().backward()
        optimizer.step()

    with watched() as observed:
        observed.until("watched_step", step)
        thread = threading.Thread(target=observed.agent.begin)
        thread.start()
        thread.join()
        observed.until("watched_step", step, len(observed.of("watched_step")) + 2)
    assert hooks_in() == before
