"""Programs that keep what is nobody's, and are asked who holds it."""

from __future__ import annotations

import torch
from parts import batch, cross_entropy, mlp
from running import Run
from torch import Tensor, nn

KEPT = 600  # floats


class Trainer:
    """Keeps a tensor from before its first step, and one of each step in `history`."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.model = mlp(run.device)
        self.optimizer = torch.optim.AdamW(self.model.parameters())
        self.history: list[Tensor] = []
        self.mean = torch.zeros(KEPT, device=run.device)
        run.owns(self.model, self.optimizer)

    def step(self) -> None:
        inputs, targets = batch(self.run.device)
        self.optimizer.zero_grad()
        output = self.model(inputs)
        loss = cross_entropy(output, targets)
        self.history.append(output.detach().repeat(2, 3))
        loss.backward()
        self.optimizer.step()
        self.mean.add_(1)


def trainer(run: Run) -> None:
    """Is asked of all that was alive at the end of a watched step, and goes on until it answers."""
    training = Trainer(run)
    for _ in run.steps():
        training.step()
    kept = len(training.history)
    run.ask()
    while not run.has_sent("holders"):
        training.step()
    run.said["kept"] = kept


def autocast_around_steps(run: Run) -> None:
    """Autocast around all steps keeps the copies that the first one made."""
    model = nn.Linear(32, 64, device=run.device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with torch.autocast(run.device.type, dtype=torch.bfloat16):
        for _ in run.steps():
            optimizer.zero_grad()
            model(torch.ones(16, 32, device=run.device)).float().sum().backward()
            optimizer.step()
