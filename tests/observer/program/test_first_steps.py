"""A program that is seen from its start: its first steps, its first lines, and its last words."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pytest
from vramtop.accounting.program.report import report
from vramtop.observer.program.agent import Agent
from vramtop.protocol.observed.record import FromObserver, Progress, WatchedStep

if TYPE_CHECKING:
    from simulation import SimulatedGpu

# Prints what the agent says of `code` as seen from its start, and what an expression is worth then.
PROGRAM = """
import json, torch
from torch import nn
from vramtop.observer.private_cuda import (
    history_enabled,
    start_history,
    when_cuda_starts,
)
from vramtop.observer.program.agent import Agent
said = []
agent = Agent(said.append, since_start=True)
when_cuda_starts(agent.cuda_starts)
agent.join()
device = torch.device({device!r})
kept = torch.zeros(1000).to(device)
model = nn.Linear(4, 2).to(device)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
def step():
    model(torch.ones(3, 4, device=device)).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
{code}
print(json.dumps([said, {expression}]))
"""
KEPT = next(at for at, line in enumerate(PROGRAM.splitlines(), 1) if line.startswith("kept"))


class Told(NamedTuple):
    """What an agent has said, and what the expression was worth."""

    messages: list[Any]
    worth: object

    @property
    def steps(self) -> list[WatchedStep]:
        return [each for each in self.messages if isinstance(each, WatchedStep)]


@pytest.fixture
def told(simgpu: SimulatedGpu) -> Callable[..., Told]:
    """Runs the program on a machine with a GPU; an error in it is an AssertionError here."""

    def run(device: str, code: str, expression: str = "None") -> Told:
        program = PROGRAM.format(device=device, code=code, expression=expression)
        said, worth = json.loads(simgpu.run_torch(program, simgpu.environment(devices=1)))
        decode = msgspec.json.Decoder(FromObserver).decode
        return Told([decode(json.dumps(each)) for each in said], worth)

    return run


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_three_steps_are_enough_for_a_watched_one(told: Callable[..., Told], device: str) -> None:
    seen = told(device, "for _ in range(3): step()\nagent.end()")
    # On a GPU the first of them was told before.
    number = 2 if device == "cuda" else 1
    assert [each.number for each in seen.steps] == [*range(1, number + 1)]
    assert _periods(seen.steps[-1]) == [(0, "optimizer_end"), (1, "optimizer_end")]
    last = seen.messages[-1]
    assert isinstance(last, Progress)
    assert (last.steps, last.watched) == (3, number)


def _periods(step: WatchedStep) -> list[tuple[int, str]]:
    """The last mark of each of both periods, with the period's number."""
    ends, period = [], -1
    for before, mark in pairwise(step.marks):
        period += before.kind == "period"
        if mark.kind == "period":
            ends.append((period, before.kind))
    return ends


STATE = "optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)\n"
HELD = (
    "[sum(each.numel() * 4 for each in group if each.device == device) for group in ("
    "list(model.parameters()),"
    " [part for state in optimizer.state.values() for part in state.values()])]"
)


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
@pytest.mark.parametrize("steps", [1, 2])
def test_a_program_of_one_or_two_steps_has_the_split_of_its_last_to_the_byte(
    told: Callable[..., Told], device: str, steps: int
) -> None:
    seen = told(device, f"{STATE}for _ in range({steps}): step()\nagent.end()", HELD)
    last = report(seen.steps[-1], steps)
    parameters, state = seen.worth  # type: ignore[misc]
    for phase, split in last.boundaries.items():
        assert split.parameters == parameters
        made = phase == "optimizer" or steps == 2
        assert split.optimizer_state == (state if made else 0)
    assert last.boundaries["optimizer"].gradients == parameters
    assert last.boundaries["forward"].batch_data == 3 * 4 * 4
    assert last.boundaries["forward"].activations > 0
    assert last.unattributed == (None if device == "cpu" else 0)
    assert last.phases[-3:] == ("forward", "backward", "optimizer")
    # What is older than the first step and nobody's.
    assert last.boundaries["optimizer"].other == (4000 if device == "cuda:0" else 0)


def test_the_first_step_on_a_gpu_is_told_as_soon_as_it_has_ended(
    told: Callable[..., Told],
) -> None:
    code = (
        "import time\nstep()\nuntil = time.monotonic() + 30\n"
        "while not any(each['type'] == 'watched_step' for each in said):\n"
        "    assert time.monotonic() < until; time.sleep(0.001)\n"
    )
    seen = told("cuda", code)
    assert len(seen.steps) == 1
    assert report(seen.steps[0], 1).boundaries["optimizer"].gradients == 4 * 10
    once = told("cuda", code + "agent.end()")
    assert len(once.steps) == 1  # the end tells nothing twice


def test_half_a_cycle_of_two_optimizers_is_no_first_step(told: Callable[..., Told]) -> None:
    code = (
        "other = torch.optim.SGD(model.parameters(), lr=0.1)\n"
        "def half(which):\n"
        "    model(torch.ones(3, 4, device=device)).sum().backward()\n"
        "    which.step(); which.zero_grad()\n"
        "for _ in range(2): half(optimizer); half(other)\n"
        "agent.end()"
    )
    first, last = told("cuda", code).steps
    assert [mark.kind for mark in first.marks].count("optimizer_end") == 2
    assert [mark.kind for mark in last.marks].count("optimizer_end") == 4


def test_a_single_call_without_gradients_is_watched(told: Callable[..., Told]) -> None:
    code = "with torch.no_grad(): model(torch.ones(3, 4, device=device))\nagent.end()"
    (step,) = told("cuda", code).steps
    assert step.kind == "inference"
    assert report(step, 1).unattributed == 0


def test_an_optimizer_that_starts_cuda_does_not_turn_a_cpus_training_into_a_gpus(
    told: Callable[..., Told],
) -> None:
    seen = told(
        "cpu",
        "optimizer.register_step_pre_hook(lambda *_: torch.cuda.init())\n"
        "for _ in range(3): step()\nagent.end()",
        "torch.cuda.is_initialized()",
    )
    assert [each.device for each in seen.steps] == ["cpu"]
    assert seen.worth is True


def test_what_was_allocated_before_the_first_watched_step_has_its_line(
    told: Callable[..., Told],
) -> None:
    seen = told("cuda", "for _ in range(3): step()\nagent.end()", "history_enabled()")
    _, step = seen.steps
    assert seen.worth is False
    lines = {
        size: step.lines[line] if line >= 0 else ""
        for (_, size), line in zip(step.blocks, step.block_lines, strict=True)
    }
    assert lines[4000] == f"<string>:{KEPT}"


def test_nothing_is_noted_once_nobody_watches(told: Callable[..., Told]) -> None:
    seen = told("cuda", "noted = history_enabled(); agent.leave()", "[noted, history_enabled()]")
    assert seen.worth == [True, False]


def test_a_history_that_the_program_records_goes_on(told: Callable[..., Told]) -> None:
    later = "start_history(99); torch.zeros(9, device=device), torch.zeros(9, device=device)\n"
    for then in ("agent.leave()", "for _ in range(3): step()\nagent.end()"):
        assert told("cuda", later + then, "history_enabled()").worth is True


def test_a_gpu_that_is_used_later_takes_the_place_of_the_cpu(told: Callable[..., Told]) -> None:
    seen = told(
        "cpu",
        "step()\n"
        "elsewhere = nn.Linear(4, 2).cuda()\n"
        "model, device = elsewhere, torch.device('cuda')\n"
        "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n"
        "for _ in range(3): step()\n"
        "agent.end()",
    )
    assert {each.device for each in seen.steps} == {"cuda:0"}


def test_a_program_is_called_by_its_script_or_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    names = []
    for script in ("/a/train.py", "/a/pkg/__main__.py", "-c", "", "-"):
        monkeypatch.setattr(sys, "argv", [script])
        names.append(Agent(lambda _: None, since_start=True).hello()["program"])
    assert names == ["train.py", "pkg", "python", "python", "python"]
