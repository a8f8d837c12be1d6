"""What a GPU's allocator has given out after steps that are not watched is told to the byte."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from vramtop.observer.program import levels
from vramtop.observer.program.levels import Levels

if TYPE_CHECKING:
    from simulation import SimulatedGpu

_PROGRAM = """
import json, time
import torch
from vramtop.observer.program import agent as agents, levels
from vramtop.observer.program.agent import Agent

agents._PROGRESS_SECONDS, levels._SHARE = 0.05, 1
said, own, kept, high = [], {}, [], []
weight = torch.nn.Parameter(torch.ones(1000, device="cuda"))
optimizer = torch.optim.SGD([weight], 0.1)
agent = Agent(said.append, since_start=False)
agent.join()
step = 0
while sum(bool(each.get("levels")) for each in said) < 12:
    weight.square().sum().backward()
    optimizer.step()
    step += 1
    own[step] = torch.cuda.memory_stats()["requested_bytes.all.current"]
    optimizer.zero_grad()
    # Every other step has more in use than the one before, and each third one keeps something.
    high = torch.ones(500, device="cuda") if step % 2 else None
    if step % 3 == 0:
        kept.append(torch.ones(10, device="cuda"))
    time.sleep(0.002)
agent.leave()
levels = [level for each in said for level in each.get("levels", ())]
print(json.dumps({"levels": levels, "own": own, "steps": step}))
"""


def test_the_least_since_the_progress_before_is_told_with_its_step(simgpu: SimulatedGpu) -> None:
    told = json.loads(simgpu.run_torch(_PROGRAM, simgpu.environment(devices=2)))
    assert {device for device, _, _ in told["levels"]} == {"cuda:0"}
    assert [held for _, _, held in told["levels"]] == [
        told["own"][str(step)] for _, step, _ in told["levels"]
    ]
    # What every other step makes is there right after the next one.
    assert {step % 2 for _, step, _ in told["levels"][1:]} == {1}


def test_on_a_cpu_there_are_none() -> None:
    read = Levels()
    read.read(1)
    assert read.take() == []


def test_reading_takes_a_small_part_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    read = Levels()
    assert read.read(1) > 0.0
    assert read.read(2) == 0.0  # not yet due
    monkeypatch.setattr(levels, "_SHARE", 0)
    read._due = 0.0
    assert read.read(3) > 0.0
    assert read.read(4) > 0.0


def test_steps_that_nobody_counts_are_not_read() -> None:
    assert Levels().read(None) == 0.0
