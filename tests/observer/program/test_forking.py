"""A program that forks: nothing of the observer's works in the child, whenever it was forked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torch.utils._python_dispatch import _get_current_dispatch_mode_stack
from vramtop.observer.program.agent import Agent
from watched import watched

if TYPE_CHECKING:
    from simulation import SimulatedGpu

_BEFORE_ANY_WINDOW = """
import os, torch
from vramtop.observer.private_cuda import when_cuda_starts
from vramtop.observer.program.agent import Agent
agent = Agent(lambda _: None, since_start=True)
os.register_at_fork(
    before=agent.forking.before,
    after_in_parent=agent.forking.after,
    after_in_child=agent.forget,
)
when_cuda_starts(agent.cuda_starts)
agent.join()
kept = torch.zeros(1000, device="cuda")
assert torch._C._cuda_isHistoryEnabled()
child = os.fork()
if not child:
    os._exit(torch._C._cuda_isHistoryEnabled())
assert os.waitpid(child, 0)[1] == 0
assert torch._C._cuda_isHistoryEnabled()
agent.leave()
print("fine")
"""


def test_before_the_first_window_nothing_is_noted_in_a_child(simgpu: SimulatedGpu) -> None:
    assert simgpu.run_torch(_BEFORE_ANY_WINDOW, simgpu.environment(devices=1)) == "fine\n"


def test_a_child_leaves_the_mode_that_sees_operators() -> None:
    with watched() as observed:
        observed.agent.begin()
        assert _get_current_dispatch_mode_stack()
        child = os.fork()
        if not child:
            observed.agent.forget()
            os._exit(len(_get_current_dispatch_mode_stack()))
        assert os.waitpid(child, 0)[1] == 0


def test_who_forks_while_something_is_noted_waits_only_for_a_moment() -> None:
    with watched() as observed:
        agent: Agent = observed.agent
        with agent._turn:
            agent.forking.before()
            agent.forking.after()
            assert agent._turn.locked()
        agent.forking.before()
        assert agent._turn.locked()
        agent.forking.after()
        assert not agent._turn.locked()
