"""A training on a simulated GPU, watched while the program records the allocator's history itself.

Prints for each: whether the peak is the plain one's, the watched steps, what the observer said, and
whether a history is being recorded afterwards.
"""

import json
import threading

import torch
from torch import nn
from vramtop.observer.program import pacing
from vramtop.observer.program.agent import Agent

STEPS = 60


def record():
    torch.cuda.memory._record_memory_history(max_entries=1000)


def train(agent, when):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 4)).cuda()
    optimizer = torch.optim.Adam(model.parameters())
    if when == "before":
        record()
    for _ in range(STEPS):
        if when == "during" and agent._windows.window is not None:
            record()
            when = ""
        model(torch.ones(8, 64, device="cuda")).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    return torch.cuda.max_memory_allocated()


def watched(when):
    sent = []
    agent = Agent(sent.append, since_start=False)
    agent.join()
    peak = train(agent, when)
    leaving = threading.Thread(target=agent.leave)
    leaving.start()
    leaving.join()
    recording = torch._C._cuda_isHistoryEnabled()
    torch.cuda.memory._record_memory_history(None)
    return {
        "peak": peak == plain,
        "steps": sum(message["type"] == "watched_step" for message in sent),
        "said": sorted({message["reason"] for message in sent if "reason" in message}),
        "recording": recording,
    }


if __name__ == "__main__":
    pacing.LEAST_SECONDS, pacing.MOST_SHARE = 0.0, 1e9
    plain = train(None, "")
    print(json.dumps({when: watched(when) for when in ("never", "before", "during")}))
