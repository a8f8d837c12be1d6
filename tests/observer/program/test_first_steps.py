"""A program that is seen from its start: its first steps, its first lines, and its last words."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pytest
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
    assert [(each.number, each.kind) for each in seen.steps] == [(1, "training")]
    last = seen.messages[-1]
    assert isinstance(last, Progress)
    assert (last.steps, last.watched) == (3, 1)


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
    (step,) = seen.steps
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
    assert [each.device for each in seen.steps] == ["cuda:0"]


def test_a_program_is_called_by_its_script_or_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    names = []
    for script in ("/a/train.py", "/a/pkg/__main__.py", "-c", "", "-"):
        monkeypatch.setattr(sys, "argv", [script])
        names.append(Agent(lambda _: None, since_start=True).hello()["program"])
    assert names == ["train.py", "pkg", "python", "python", "python"]
