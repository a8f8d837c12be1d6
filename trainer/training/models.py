"""The lesson's MLPs, and their layer table."""

from __future__ import annotations

import torch
from torch import nn
from vramtop.protocol.lesson.formula import CLASSES
from vramtop.protocol.messages import Layer


def build(shape: tuple[int, int, int], hidden: int, seed: int) -> nn.Sequential:
    """An MLP C·H·W → hidden → ReLU → 10, initialised as right after `torch.manual_seed(seed)`.

    The global random state is left as it was, on every device.
    """
    channels, height, width = shape
    with torch.random.fork_rng(devices=[]):
        # Only the host's: `torch.manual_seed` would seed every GPU as well.
        torch.default_generator.manual_seed(seed)
        return nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels * height * width, hidden),
            nn.ReLU(),
            nn.Linear(hidden, CLASSES),
        )


def layer_table(model: nn.Sequential, shape: tuple[int, int, int]) -> tuple[Layer, ...]:
    """A row for each layer: its name, its output's shape for one image, parameters and bytes."""
    output: tuple[int, ...] = shape
    rows = []
    for layer in model:
        name = type(layer).__name__
        if isinstance(layer, nn.Flatten):
            output = (shape[0] * shape[1] * shape[2],)
        elif isinstance(layer, nn.Linear):
            name = f"{name} {layer.in_features} → {layer.out_features}"
            output = (layer.out_features,)
        parameters = list(layer.parameters())
        # A weight has two dimensions, outputs and inputs; a bias has only outputs.
        weights = sum(parameter.numel() for parameter in parameters if parameter.dim() > 1)
        biases = sum(parameter.numel() for parameter in parameters if parameter.dim() == 1)
        rows.append(
            Layer(
                name=name,
                output_shape=output,
                parameters=weights + biases,
                bytes=sum(parameter.nbytes for parameter in parameters),
                kind=type(layer).__name__,
                weights=weights,
                biases=biases,
            )
        )
    return tuple(rows)
