"""What the categories mean, in a few words each."""

from __future__ import annotations

from vramtop.protocol.split import Category

# Each in fewer and fewer words.
_MEANINGS: dict[Category, tuple[str, ...]] = {
    "parameters": ("the weights and biases that are learned", "weights and biases"),
    "gradients": ("one for every parameter, made by backward", "one for every parameter"),
    "optimizer_state": ("what the optimizer keeps from step to step", "kept from step to step"),
    "batch_data": ("what a step is given to work on", "what a step is given"),
    "activations": ("what forward keeps for backward to use", "kept for backward"),
    "temporaries": ("whatever lives only for a moment of the step", "here for a moment"),
    "other": ("older than the step, and nobody's", "older, and nobody's"),
}
_OF_LESSON: dict[Category, tuple[str, ...]] = {
    "batch_data": ("the images of one batch and their targets", "images and targets"),
}


def meanings(category: Category, *, lesson: bool) -> tuple[str, ...]:
    """What the category means in the lesson, or in any program."""
    of_any = _MEANINGS[category]
    return _OF_LESSON.get(category, of_any) if lesson else of_any
