"""What a program keeps for an update by hand is nobody's, and named by its variable and line.

That a tensor has a parameter's shape and is written between backward passes proves nothing: a
moving average of the parameters looks the same.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from vramtop.protocol.observed.record import FromObserver, Observed, WatchedStep
from vramtop.protocol.observed.report import Held
from vramtop.tui.programs.programs import Program

if TYPE_CHECKING:
    from simulation import SimulatedGpu

# Prints what is said of a training whose momentum is KEPT.
PROGRAM = """
import json, time, torch
from torch import nn
from vramtop.observer.private_cuda import when_cuda_starts
from vramtop.observer.program import holders, pacing
from vramtop.observer.program.agent import Agent
pacing.LEAST_SECONDS, pacing.MOST_SHARE = 0.0, 1e9
holders.LIMIT_SECONDS = 30.0  # the machine may be busy with other tests
said = []
agent = Agent(said.append, since_start=True)
when_cuda_starts(agent.cuda_starts)
agent.join()
model = nn.Linear(400, 200, device="cuda")
class Momentum:
    def __init__(self):
        self.buffers = [torch.zeros_like(each) for each in model.parameters()]  # in an object
KEPT
def step():
    model(torch.ones(3, 400, device="cuda")).sum().backward()
    with torch.no_grad():
        for parameter, buffer in zip(model.parameters(), REACHED):
            buffer.mul_(0.9).add_(parameter.grad)
            parameter.sub_(buffer, alpha=0.1)
            parameter.grad = None
def until(kind):
    end = time.monotonic() + 30
    while not any(each["type"] == kind for each in said):
        assert time.monotonic() < end
        step()
until("watched_step")
addresses = [each.data_ptr() for each in REACHED]
agent.who("cuda:0", addresses)
until("holders")
print(json.dumps([agent.hello(), *said]))
"""
BYTES = 4 * (400 * 200 + 200)
# How it is kept, how it is reached, and what it is then called.
WAYS = [
    (
        "velocity = {name: torch.zeros_like(each) for name, each in model.named_parameters()}",
        "velocity.values()",
        "velocity in __main__",
    ),
    (
        "moments = [torch.zeros_like(each) for each in model.parameters()]",
        "moments",
        "moments in __main__",
    ),
    ("momentum = Momentum()", "momentum.buffers", "buffers of Momentum"),
]


@pytest.mark.parametrize(("kept", "reached", "name"), WAYS)
def test_momentum_kept_by_hand_is_other_and_has_its_variable_and_line(
    simgpu: SimulatedGpu, kept: str, reached: str, name: str
) -> None:
    code = PROGRAM.replace("KEPT", kept).replace("REACHED", reached)
    made = "# in an object" if "Momentum" in kept else kept
    (line,) = (at for at, text in enumerate(code.splitlines(), 1) if text.endswith(made))
    who, *said = json.loads(simgpu.run_torch(code, simgpu.environment(devices=1)))
    program = Program(msgspec.convert(who, Observed))
    messages: list[Any] = msgspec.convert(said, list[FromObserver])
    first = next(each for each in messages if isinstance(each, WatchedStep))
    for message in [first, *(each for each in messages if not isinstance(each, WatchedStep))]:
        program.add(message)
    (report,) = program.reports()
    boundaries = report.kinds[0].boundaries
    assert {each.optimizer_state for each in boundaries.values()} == {0}
    assert {each.other for each in boundaries.values()} == {BYTES}
    (held,) = report.other
    assert held == Held(BYTES, 2, name, f"<string>:{line}")
    assert report.kinds[0].unattributed == 0
