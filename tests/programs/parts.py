"""A network, its batches and its loop, which the programs share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from running import Run
from sizes import BATCH, CLASSES, HIDDEN, IMAGES, PIXELS
from torch import Tensor, nn

NOTHING: Mapping[str, int] = {}

cross_entropy = nn.functional.cross_entropy


def mlp(device: torch.device) -> nn.Sequential:
    layers = [nn.Linear(PIXELS, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CLASSES)]
    return nn.Sequential(*layers).to(device)


def batch(device: torch.device, images: int = IMAGES) -> tuple[Tensor, Tensor]:
    inputs = torch.randn(images, PIXELS, device=device)
    return inputs, torch.zeros(images, dtype=torch.int64, device=device)


def mlp_with_adamw(run: Run) -> tuple[nn.Sequential, torch.optim.AdamW]:
    """What most programs train, and what of them the run counts."""
    model = mlp(run.device)
    optimizer = torch.optim.AdamW(model.parameters())
    run.owns(model, optimizer)
    return model, optimizer


def batches(run: Run) -> Iterator[tuple[Tensor, Tensor]]:
    """A new batch for each step; the one before lives until its names hold the new one."""
    for _ in run.steps():
        yield batch(run.device)


def train(
    run: Run,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    forward: Mapping[str, int] = NOTHING,
    backward: Mapping[str, int] = NOTHING,
    step: Mapping[str, int] = NOTHING,
) -> None:
    """The loop as most people write it; the bytes are those at the end of each phase."""
    for inputs, targets in batches(run):
        optimizer.zero_grad()
        run.at("load", batch_data=BATCH)
        loss = cross_entropy(model(inputs), targets)
        run.at("forward", batch_data=BATCH, **forward)
        loss.backward()
        run.at("backward", batch_data=BATCH, **backward)
        optimizer.step()
        run.at("optimizer", batch_data=BATCH, **step)
