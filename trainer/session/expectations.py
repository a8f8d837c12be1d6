"""The lesson's formula for each category, and why a measured step differs from it. No torch."""

from __future__ import annotations

from math import prod

from vramtop.protocol.lesson.formula import FLOAT32_BYTES, Formula, lesson, mlp_parameters
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import Difference, Expectation
from vramtop.protocol.split import Category, Split


def formula_for(settings: Settings, shape: tuple[int, int, int]) -> Formula:
    """The lesson's bytes for these settings, on images of this shape (C, H, W)."""
    return lesson(
        pixels=prod(shape),
        hidden=settings.hidden,
        batch_size=settings.batch_size,
        optimizer=settings.optimizer,
    )


def expectations(settings: Settings, shape: tuple[int, int, int]) -> tuple[Expectation, ...]:
    """The formula's text and bytes for each category that it knows, on images of this shape."""
    pixels = prod(shape)
    parameters = mlp_parameters(pixels, settings.hidden)
    formula = formula_for(settings, shape)

    def of_parameters(category: Category, size: int) -> Expectation:
        each = size // parameters
        return Expectation(category, f"{each} × {parameters:,}" if each else "0", size)

    def of_images(category: Category, values: int, size: int) -> Expectation:
        text = f"{FLOAT32_BYTES * values:,} × {settings.batch_size:,}"
        return Expectation(category, text, size)

    return (
        of_parameters("parameters", formula.parameters),
        of_parameters("gradients", formula.gradients),
        of_parameters("optimizer_state", formula.optimizer_state),
        of_images("batch_data", pixels, formula.batch_data),
        of_images("activations", settings.hidden, formula.activations),
    )


def differences(
    settings: Settings, expected: tuple[Expectation, ...], high_water: Split
) -> tuple[Difference, ...]:
    """How far each category's high water is from what was expected, and why."""
    return tuple(_difference(settings, row, high_water) for row in expected)


def _difference(settings: Settings, expected: Expectation, high_water: Split) -> Difference:
    extra: int = getattr(high_water, expected.category) - expected.bytes
    return Difference(expected.category, extra, _reasons(settings, expected.category, extra))


def _reasons(settings: Settings, category: Category, extra: int) -> tuple[str, ...]:
    """The reason, given only where it accounts for the difference to the byte."""
    batch_size, times = settings.batch_size, settings.accumulation
    if extra == 0 and category == "gradients" and times > 1:
        return (f"they stay while {times} batches add up", f"stay for {times} batches", "stay")
    if category == "batch_data" and extra == 8 * batch_size:
        return (
            "targets are int64: 8 B an image",
            "int64 targets, 8 B each",
            "int64 targets",
            "targets",
        )
    if category == "activations" and extra == 80 * batch_size + 8:
        return (
            "logits and log-softmax: 80 B an image, loss: 8 B",
            "logits, log-softmax, loss",
            "logits…",
        )
    if category == "activations" and times > 1 and extra == 80 * batch_size + 12:
        return (
            "logits, log-softmax: 80 B an image, losses: 12 B",
            "logits, log-softmax, losses",
            "logits…",
        )
    if category == "optimizer_state" and extra == 16:
        return (
            "Adam counts its steps: 4 B for each of 4 tensors",
            "Adam's four step counters",
            "step counters",
            "counters",
        )
    return ()
