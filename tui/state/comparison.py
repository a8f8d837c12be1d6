"""The lesson's formula beside what was measured, and why they differ."""

from __future__ import annotations

import msgspec
from vramtop.protocol.lesson.messages import Configured
from vramtop.protocol.messages import Measured
from vramtop.protocol.split import CATEGORIES, AllocatorMemory, Anatomy, Category, Phase
from vramtop.tui.words import units

UNEXPLAINED = ("unexplained", "?")


class Line(msgspec.Struct, frozen=True):
    """One category: what it reached, what the lesson says, and why that is not the same.

    `formula` is None where the lesson has none; `difference` likewise. `reasons` say the same in
    fewer and fewer words; without a difference, at most what is remarkable in that.
    """

    category: Category
    high_water: int
    written: str
    formula: int | None
    difference: int | None
    reasons: tuple[str, ...]


def compare(configured: Configured, measured: Measured) -> tuple[Line, ...]:
    """A line a category, in their order."""
    return tuple(_line(configured, measured, category) for category in CATEGORIES)


def written(configured: Configured, category: Category) -> str:
    """The formula with its numbers, as in 4 times 101,770."""
    settings = configured.settings
    parameters = sum(layer.parameters for layer in configured.layers)
    if category == "temporaries" or not parameters:
        return units.NOTHING
    if category == "batch_data":
        channels, height, width = configured.data.shape
        return f"{4 * channels * height * width:,} × {settings.batch_size:,}"
    if category == "activations":
        return f"{4 * settings.hidden:,} × {settings.batch_size:,}"
    floats = getattr(configured.formula, category) // parameters
    return f"{floats} × {parameters:,}" if floats else "0"


def gives(configured: Configured, category: Category) -> int | None:
    """The bytes that the formula says; None where the lesson has none."""
    return None if category == "temporaries" else getattr(configured.formula, category)


def beside(memory: AllocatorMemory) -> tuple[str, ...]:
    """What the device's allocator holds beside the categories, and why, a sentence each."""
    told = []
    if memory.workspace:
        each = memory.workspace_each
        reason = f"cuBLAS keeps {units.size(each)} a handle" if each else "kept by operators"
        told.append(f"workspace {units.size(memory.workspace)}: {reason}")
    if memory.rounding:
        told.append(f"rounding {units.size(memory.rounding)}: tensors fill whole blocks of 512 B")
    return tuple(told)


def high_water_phase(anatomy: Anatomy, category: Category) -> Phase | None:
    """The phase in which this category is first at its high water; None where it never is."""
    highest: int = getattr(anatomy.high_water, category)
    phases = (m.phase for m in anatomy.curve if getattr(m.split, category) == highest)
    return next(phases, None) if highest else None


def _line(configured: Configured, measured: Measured, category: Category) -> Line:
    high_water: int = getattr(measured.anatomy.high_water, category)
    text = written(configured, category)
    formula = gives(configured, category)
    if formula is None:
        phase = high_water_phase(measured.anatomy, category)
        return Line(category, high_water, text, None, None, (f"in {phase}",) if phase else ())
    extra = high_water - formula
    return Line(category, high_water, text, formula, extra, _reasons(configured, category, extra))


def _reasons(configured: Configured, category: Category, extra: int) -> tuple[str, ...]:
    """The reason, given only where it accounts for the difference to the byte."""
    batch_size, times = configured.settings.batch_size, configured.settings.accumulation
    if extra == 0 and category == "gradients" and times > 1:
        return (f"they stay while {times} batches add up", f"stay for {times} batches", "stay")
    if extra == 0:
        return ()
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
    return UNEXPLAINED
