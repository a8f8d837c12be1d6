"""What an out-of-memory says of the process: each storage once, and the line that asked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
from vramtop.protocol.observed.record import FromObserver, OutOfMemory

if TYPE_CHECKING:
    from simulation import SimulatedGpu

MIB = 2**20
PROGRAM = f"""
import json, torch
from torch import nn
from vramtop.observer.program.agent import Agent

sent = []
agent = Agent(sent.append, since_start=False)
layer = nn.Linear(1000, 1000).cuda()
layer.twin = nn.Linear(1000, 1000).cuda()
layer.twin.weight = layer.weight
optimizer = torch.optim.Adam(layer.parameters())
agent.join()
for _ in range(3):
    optimizer.zero_grad()
    layer(torch.ones(8, 1000, device="cuda")).sum().backward()
    optimizer.step()
    agent.begin()
try:
    kept = torch.empty({512 * MIB}, dtype=torch.uint8, device="cuda")
except torch.OutOfMemoryError:
    pass
agent.leave()
print(json.dumps([message for message in sent if message["type"] == "out_of_memory"]))
"""


def test_it_counts_what_modules_and_optimizers_hold_and_names_the_line(
    simgpu: SimulatedGpu,
) -> None:
    machine = simgpu.environment(total=1400 * MIB, devices=1)
    sent = json.loads(simgpu.run_torch(PROGRAM, machine))
    assert sent
    message = msgspec.convert(sent[-1], FromObserver)
    assert isinstance(message, OutOfMemory)
    weight, bias = 4_000_000, 4_000
    assert message.parameters == weight + 2 * bias
    assert message.gradients == weight + bias
    assert message.optimizer_state == 2 * (weight + bias)
    assert message.wanted == 512 * MIB > message.free
    assert message.requested >= message.parameters + message.gradients + message.optimizer_state
    assert message.line.startswith("<string>:")
