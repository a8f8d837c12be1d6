"""A network, its batches and its closed form, which the programs share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

FLOAT, LONG = 4, 8
IMAGES, PIXELS, HIDDEN, CLASSES = 16, 32, 64, 8

PARAMETERS = FLOAT * (PIXELS * HIDDEN + HIDDEN + HIDDEN * CLASSES + CLASSES)
INPUTS = FLOAT * IMAGES * PIXELS
TARGETS = LONG * IMAGES
BATCH = INPUTS + TARGETS
# ReLU's result.
KEPT_BY_MLP = FLOAT * IMAGES * HIDDEN
# The logarithms of the probabilities, and the sum of the classes' weights.
KEPT_BY_LOSS = FLOAT * IMAGES * CLASSES + FLOAT
LOSS = FLOAT
ACTIVATIONS = KEPT_BY_MLP + KEPT_BY_LOSS + LOSS

cross_entropy = nn.functional.cross_entropy


def mlp(device: torch.device) -> nn.Sequential:
    layers = [nn.Linear(PIXELS, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CLASSES)]
    return nn.Sequential(*layers).to(device)


def batch(device: torch.device, images: int = IMAGES) -> tuple[Tensor, Tensor]:
    inputs = torch.randn(images, PIXELS, device=device)
    return inputs, torch.zeros(images, dtype=torch.int64, device=device)
