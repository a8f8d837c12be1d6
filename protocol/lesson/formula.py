"""The lesson's closed forms for the memory of an MLP's training step, in bytes.

For P parameters, images of C×H×W and a batch of b: parameters 4·P, gradients 4·P, optimizer state
0 (SGD), 4·P (momentum: one velocity a parameter) or 8·P (Adam, AdamW: two moments), batch data
4·C·H·W·b, activations 4·hidden·b. Everything is float32.
"""

from __future__ import annotations

import msgspec

from .settings import OptimizerName

FLOAT32_BYTES = 4
CLASSES = 10
STATE_FLOATS: dict[OptimizerName, int] = {"sgd": 0, "momentum": 1, "adam": 2, "adamw": 2}


class Formula(msgspec.Struct, frozen=True):
    """The lesson's bytes by category. The lesson has no formula for temporaries."""

    parameters: int
    gradients: int
    optimizer_state: int
    batch_data: int
    activations: int

    @property
    def total(self) -> int:
        """The sum over these categories, in bytes."""
        return sum(msgspec.structs.astuple(self))


def mlp_parameters(pixels: int, hidden: int) -> int:
    """Parameters of pixels → hidden → 10, weights and biases: 101,770 for 784 → 128."""
    return pixels * hidden + hidden + hidden * CLASSES + CLASSES


def lesson(*, pixels: int, hidden: int, batch_size: int, optimizer: OptimizerName) -> Formula:
    """The lesson's bytes for an MLP on images of `pixels` = C·H·W values."""
    parameters = FLOAT32_BYTES * mlp_parameters(pixels, hidden)
    return Formula(
        parameters=parameters,
        gradients=parameters,
        optimizer_state=STATE_FLOATS[optimizer] * parameters,
        batch_data=FLOAT32_BYTES * pixels * batch_size,
        activations=FLOAT32_BYTES * hidden * batch_size,
    )
