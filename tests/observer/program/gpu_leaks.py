"""Ten trainings on a simulated GPU, each of which keeps more after every step in a way of its own.

They are those of `benchmarks/leaks.py`. Prints for each after how many steps, and how many watched
ones, it is told that it grows; by how many bytes a step, and who holds that.
"""

from __future__ import annotations

import gc
import json
import sys
import time

import msgspec
import torch
from gpu_training import in_child
from piloted import OBSERVER
from torch import nn
from vramtop.observer.program import agent as agents
from vramtop.observer.program import holders, levels
from vramtop.observer.program.agent import Agent
from vramtop.protocol.observed.record import FromObserver, Observed, WatchedStep
from vramtop.tui.programs.programs import Program

sys.path.insert(0, str(OBSERVER.parent / "benchmarks"))

from leaks import LEAKS, Step

SECONDS = 10


def told(step: Step) -> dict[str, object]:
    """Train until the holder of what grows is known."""
    gc.unfreeze()  # the lists that hold it are older than this child
    said: list[dict[str, object]] = []
    agent = Agent(said.append, since_start=False)
    program = Program(msgspec.convert(agent.hello(), Observed))
    model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10)).cuda()
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    agent.join()
    until, number = time.monotonic() + SECONDS, 0
    growth = None
    while not (growth is not None and growth.held) and time.monotonic() < until:
        inputs = torch.randn(64, 784, device="cuda")
        loss = model(inputs).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        step(number, model, inputs, loss)
        number += 1
        time.sleep(0.001)
        while said:
            message = msgspec.convert(said.pop(0), FromObserver)
            program.add(message)
            if isinstance(message, WatchedStep):
                program.seen.add(message, program.progress.steps, {})
        if program.watched and not program.names.waiting and program.grows_unheld("cuda:0"):
            addresses = list(program.unasked("cuda:0"))
            program.names.waiting = bool(addresses)
            agent.who("cuda:0", addresses)
        if program.watched:
            growth = program.report("cuda:0").growth
    agent.leave()
    if growth is None:
        return {"steps": number}
    return {
        "steps": number,
        "watched": program.watched,
        "each": growth.bytes_a_step,
        "held": [group.what for group in growth.held],
    }


if __name__ == "__main__":
    agents._PROGRESS_SECONDS, levels._SHARE = 0.05, 1
    holders.LIMIT_SECONDS = 30.0  # the machine may be busy with other tests
    print(json.dumps({name: in_child(lambda: told(LEAKS[name][0])) for name in LEAKS}))  # noqa: B023
