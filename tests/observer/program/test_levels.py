"""What a GPU's allocator has given out after steps that are not watched is told to the byte."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from vramtop.observer.program.levels import Levels

if TYPE_CHECKING:
    from simulation import SimulatedGpu

_PROGRAM = """
import json, time
import torch
from vramtop.observer.program import agent as agents, levels
from vramtop.observer.program.agent import Agent

agents._PROGRESS_SECONDS, levels._SHARE = 0.05, 1
said, own, kept = [], {}, []
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
    if step % 3 == 0:
        kept.append(torch.ones(10, device="cuda"))
    time.sleep(0.002)
agent.leave()
levels = [level for each in said for level in each.get("levels", ())]
print(json.dumps({"levels": levels, "own": own, "steps": step}))
"""


def test_it_is_told_with_its_step(simgpu: SimulatedGpu) -> None:
    told = json.loads(simgpu.run_torch(_PROGRAM, simgpu.environment(devices=2)))
    assert {device for device, _, _ in told["levels"]} == {"cuda:0"}
    assert [held for _, _, held in told["levels"]] == [
        told["own"][str(step)] for _, step, _ in told["levels"]
    ]


_READINGS = """
import json, time
import torch
from vramtop.observer.program.levels import Levels

kept = torch.ones(1000, device="cuda")
levels = Levels()
began = time.perf_counter()
spent = levels.read(1, 5)
due = levels.due - began
more = torch.ones(1000, device="cuda")
levels.read(1, 7)
print(json.dumps({
    "spent": spent,
    "due": due,
    "of another optimizer": levels.read(2, 6),
    "that nobody counts": levels.read(1, None),
    "told": levels.take(),
}))
"""


def test_reading_takes_a_small_part_of_the_time_and_the_least_of_one_optimizers_steps_is_told(
    simgpu: SimulatedGpu,
) -> None:
    read = json.loads(simgpu.run_torch(_READINGS, simgpu.environment()))
    assert read["spent"] > 0.0
    assert read["due"] >= read["spent"] * 2000
    assert read["of another optimizer"] == read["that nobody counts"] == 0.0
    assert read["told"] == [["cuda:0", 5, 4000]]


def test_on_a_cpu_there_are_none_and_cuda_is_looked_for_once_a_second() -> None:
    read, began = Levels(), time.perf_counter()
    assert read.read(1, 1) == 0.0
    assert read.take() == []
    assert read.due >= began + 1.0
