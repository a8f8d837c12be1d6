"""A program that is seen from its start: its first steps, its first lines, and its last words."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from vramtop.observer.program.agent import Agent
from vramtop.protocol.observed.record import FromObserver, Progress, WatchedStep

if TYPE_CHECKING:
    from simulation import SimulatedGpu

# Prints what the agent says, a line each; `{0}` is the program, as seen from its start.
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
print(json.dumps(said))
"""
KEPT = next(at for at, line in enumerate(PROGRAM.splitlines(), 1) if line.startswith("kept"))


@pytest.fixture
def said(simgpu: SimulatedGpu) -> Any:
    def run(device: str, code: str) -> list[Any]:
        program = PROGRAM.format(device=device, code=code)
        machine = simgpu.environment(devices=1)
        done = subprocess.run(
            [sys.executable, "-c", program],
            check=False, capture_output=True, text=True, timeout=60, env={**os.environ, **machine},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return [
            msgspec.json.decode(json.dumps(each), type=FromObserver)
            for each in json.loads(done.stdout)
        ]

    return run


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_three_steps_are_enough_for_a_watched_one(said: Any, device: str) -> None:
    messages = said(device, "for _ in range(3): step()\nagent.end()")
    steps = [each for each in messages if isinstance(each, WatchedStep)]
    assert [(each.number, each.kind) for each in steps] == [(1, "training")]
    last = messages[-1]
    assert isinstance(last, Progress)
    assert (last.steps, last.watched) == (3, 1)


def test_an_optimizer_that_starts_cuda_does_not_turn_a_cpus_training_into_a_gpus(said: Any) -> None:
    messages = said(
        "cpu",
        "optimizer.register_step_pre_hook(lambda *_: torch.cuda.init())\n"
        "for _ in range(3): step()\nagent.end(); assert torch.cuda.is_initialized()",
    )
    steps = [each for each in messages if isinstance(each, WatchedStep)]
    assert [each.device for each in steps] == ["cpu"]


def test_what_was_allocated_before_the_first_watched_step_has_its_line(said: Any) -> None:
    messages = said("cuda", "for _ in range(3): step()\nagent.end(); assert not history_enabled()")
    (step,) = (each for each in messages if isinstance(each, WatchedStep))
    lines = {
        size: step.lines[line] if line >= 0 else ""
        for (_, size), line in zip(step.blocks, step.block_lines, strict=True)
    }
    assert lines[4000] == f"<string>:{KEPT}"


def test_nothing_is_noted_once_nobody_watches(said: Any) -> None:
    said("cuda", "assert history_enabled(); agent.leave(); assert not history_enabled()")


def test_a_history_that_the_program_records_goes_on(said: Any) -> None:
    later = "start_history(99); torch.zeros(9, device=device), torch.zeros(9, device=device)\n"
    said("cuda", later + "agent.leave(); assert history_enabled()")
    said("cuda", later + "for _ in range(3): step()\nagent.end(); assert history_enabled()")


def test_a_gpu_that_is_used_later_takes_the_place_of_the_cpu(said: Any) -> None:
    messages = said(
        "cpu",
        "step()\n"
        "elsewhere = nn.Linear(4, 2).cuda()\n"
        "model, device = elsewhere, torch.device('cuda')\n"
        "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n"
        "for _ in range(3): step()\n"
        "agent.end()",
    )
    steps = [each for each in messages if isinstance(each, WatchedStep)]
    assert [each.device for each in steps] == ["cuda:0"]


def test_a_program_is_called_by_its_script_or_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    names = []
    for script in ("/a/train.py", "/a/pkg/__main__.py", "-c", "", "-"):
        monkeypatch.setattr(sys, "argv", [script])
        names.append(Agent(lambda _: None, since_start=True).hello()["program"])
    assert names == ["train.py", "pkg", "python", "python", "python"]
