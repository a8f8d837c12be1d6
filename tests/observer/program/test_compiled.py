"""`torch.compile` compiles as often as without an observer, and warns as little."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.utils import counters
from vramtop.observer.program.owners import Owners
from watched import classifier, hooks_in, seed, wait_until, watched

pytestmark = pytest.mark.usefixtures("nothing_else_there")
Step = Callable[[], object]


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = classifier(), nn.Linear(4, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.body(inputs))


@pytest.fixture(autouse=True)
def nothing_compiled() -> Iterator[None]:
    torch.compiler.reset()
    counters.clear()
    gc.disable()  # what it calls in the midst of compiled code would be compiled and counted too
    yield
    gc.enable()
    torch.compiler.reset()


def _training(model: nn.Module, forward: Callable[[Tensor], Tensor]) -> Step:
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)

    def step() -> object:
        loss = forward(torch.randn(4, 12)).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()

    return step


def whole(backend: str) -> Step:
    model = Net()
    return _training(model, torch.compile(model, backend=backend))


def sequential(backend: str) -> Step:
    model = classifier()
    return _training(model, torch.compile(model, backend=backend))


def in_place(backend: str) -> Step:
    model = Net()
    model.compile(backend=backend)
    return _training(model, model)


def blocks(backend: str) -> Step:
    model = Net()
    model.body.compile(backend=backend)
    return _training(model, model)


def function(backend: str) -> Step:
    model = Net()
    return _training(model, torch.compile(lambda inputs: model(inputs) + 0, backend=backend))


def within(backend: str) -> Step:
    inner = torch.compile(Net(), backend=backend)
    return _training(inner, torch.compile(lambda inputs: inner(inputs) * 2, backend=backend))


def optimizer(backend: str) -> Step:
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    compiled = torch.compile(optimizer.step, backend=backend)

    def step() -> object:
        loss = model(torch.randn(4, 12)).square().mean()
        loss.backward()
        compiled()
        optimizer.zero_grad()
        return loss.item()

    return step


PROGRAMS = (whole, sequential, in_place, blocks, function, within, optimizer)


def _compiled() -> dict[str, object]:
    return {name: dict(counters[name]) for name in ("stats", "frames", "graph_break", "recompiles")}


def _plain(program: Callable[[str], Step], backend: str) -> tuple[list[object], dict[str, object]]:
    seed()
    step = program(backend)
    losses = [step() for _ in range(40)]
    made = losses, _compiled()
    torch.compiler.reset()
    counters.clear()
    return made


@pytest.mark.parametrize(
    ("program", "backend"),
    [
        *((program, "eager") for program in PROGRAMS),
        *((program, "aot_eager") for program in (whole, in_place)),
    ],
    ids=lambda each: each if isinstance(each, str) else each.__name__,
)
def test_what_is_compiled_already_is_not_compiled_again(
    program: Callable[[str], Step], backend: str
) -> None:
    losses, compiled = _plain(program, backend)
    before = hooks_in()
    seed()
    step = program(backend)
    seen = [step() for _ in range(10)]
    with warnings.catch_warnings(record=True) as warned, watched() as observed:
        warnings.simplefilter("always")
        seen += [step() for _ in range(20)]
        observed.until("watched_step", lambda: seen.append(step()))
    seen += [step() for _ in range(40 - len(seen))]
    assert seen[:40] == losses
    assert _compiled() == compiled
    assert not [str(each.message) for each in warned]
    assert not observed.of("removed")
    assert hooks_in() == before


@pytest.mark.parametrize(
    "program", [whole, sequential, in_place, blocks, function, within], ids=lambda p: p.__name__
)
def test_what_is_compiled_under_observation_is_not_compiled_again_afterwards(
    program: Callable[[str], Step],
) -> None:
    losses, compiled = _plain(program, "eager")
    before = hooks_in()
    seed()
    with watched() as observed:
        wait_until(lambda: bool(observed.of("progress")))
        step = program("eager")
        seen = [step() for _ in range(20)]
        observed.until("watched_step", lambda: seen.append(step()))
    seen += [step() for _ in range(40 - len(seen))]
    assert seen[:40] == losses
    assert _compiled()["stats"] == compiled["stats"]
    assert _compiled()["recompiles"] == compiled["recompiles"]
    assert not observed.of("removed")
    assert hooks_in() == before


def test_a_compiled_model_that_only_infers_is_watched() -> None:
    model = torch.compile(Net(), backend="eager")
    with torch.no_grad():
        model(torch.randn(4, 12))
        with warnings.catch_warnings(record=True) as warned, watched() as observed:
            warnings.simplefilter("always")
            observed.until("watched_step", lambda: model(torch.randn(4, 12)))
    assert observed.of("watched_step")[-1]["kind"] == "inference"
    assert not warned


def test_modules_that_are_made_after_something_was_compiled_are_seen() -> None:
    torch.compile(lambda x: x + 1, backend="eager")(torch.ones(1))
    kept = torch.compile(classifier(), backend="eager")
    kept(torch.ones(1, 12))
    with watched() as observed:
        wait_until(lambda: observed.agent._windows.searched)
        later = classifier()
        with torch.no_grad():
            observed.until("watched_step", lambda: later(torch.ones(1, 12)))
    assert not observed.of("removed")


def test_a_compiled_program_that_steps_is_not_searched_for_each_watched_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A search stops the program for a tenth of a second."""
    search, searches = Owners.search, list[Owners]()

    def counted(owners: Owners) -> None:
        searches.append(owners)
        search(owners)

    monkeypatch.setattr(Owners, "search", counted)
    step = whole("eager")
    step()
    with watched() as observed:
        observed.until("watched_step", step, 12)
    assert 1 <= len(searches) <= 4
