"""What the categories mean, for the first look while nothing is known yet."""

from __future__ import annotations

from vramtop.protocol.split import Category

# Each in fewer and fewer words.
MEANINGS: dict[Category, tuple[str, ...]] = {
    "parameters": ("the weights and biases that are learned", "weights and biases"),
    "gradients": ("one for every parameter, made by backward", "one for every parameter"),
    "optimizer_state": ("what the optimizer keeps from step to step", "kept from step to step"),
    "batch_data": ("the images of one batch and their targets", "images and targets"),
    "activations": ("what forward keeps for backward to use", "kept for backward"),
    "temporaries": ("whatever lives only for a moment of the step", "here for a moment"),
}
