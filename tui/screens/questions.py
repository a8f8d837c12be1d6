"""The prompts that keys open, each with its check and its hint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from vramtop.protocol.lesson import settings as limits
from vramtop.protocol.lesson.settings import Settings
from vramtop.tui.state.lesson import fair
from vramtop.tui.words import units, wording
from vramtop.tui.worker.sweep_plan import Plan

from .prompt import Prompt

Question = Literal["batch_size", "accumulation", "hidden", "learning_rate", "budget"]


def question(
    name: Question, base: Settings, images: int, accept: Callable[[Any], None]
) -> Prompt[Any]:
    """The prompt for a setting; there are `images` to train on."""
    match name:
        case "batch_size":
            return batch_size(base, images, accept)
        case "accumulation":
            return accumulation(base, accept)
        case "hidden":
            return hidden(base, accept)
        case "learning_rate":
            return learning_rate(base, accept)
        case "budget":
            return budget(base, accept)


def batch_size(base: Settings, images: int, accept: Callable[[int], None]) -> Prompt[int]:
    """A batch size within the data."""
    return Prompt(
        "Batch size",
        f"1 to {images:,} images",
        str(base.batch_size),
        lambda text: limits.parse_batch_size(text, images),
        accept,
    )


def comparison(
    base: Settings, suggested: Sequence[int], images: int, accept: Callable[[Plan], None]
) -> Prompt[Plan]:
    """Batch sizes to be compared from fresh weights, where there are `images` to train on."""
    typed = ",".join(map(str, suggested))
    each = fair.planned(base, typed, images).trials[0].images or 0
    return Prompt(
        "Compare batch sizes fairly",
        wording.comparison_hint(len(suggested), each),
        typed,
        lambda text: fair.planned(base, text, images),
        accept,
    )


def accumulation(base: Settings, accept: Callable[[int], None]) -> Prompt[int]:
    """How many batches a step adds up."""
    return Prompt(
        "Accumulation",
        f"1 to {limits.MAX_ACCUMULATION:,} batches of {base.batch_size:,} for each update",
        str(base.accumulation),
        limits.parse_accumulation,
        accept,
    )


def hidden(base: Settings, accept: Callable[[int], None]) -> Prompt[int]:
    """A hidden width."""
    return Prompt(
        "Hidden width",
        f"1 to {limits.MAX_HIDDEN:,}; the model begins anew",
        str(base.hidden),
        limits.parse_hidden,
        accept,
    )


def learning_rate(base: Settings, accept: Callable[[float | None], None]) -> Prompt[float | None]:
    """A learning rate; None is the optimizer's usual one."""
    return Prompt(
        "Learning rate",
        "above 0 and up to 1000; nothing for the optimizer's usual one",
        units.learning_rate(base.rate),
        lambda text: limits.parse_learning_rate(text) if text.strip() else None,
        accept,
    )


def budget(base: Settings, accept: Callable[[int | None], None]) -> Prompt[int | None]:
    """A memory budget; None is no limit."""
    return Prompt(
        "Memory budget",
        "like 24MiB or 1.5GiB; nothing for no budget",
        "" if base.budget is None else units.typed_size(base.budget),
        lambda text: limits.parse_size(text) if text.strip() else None,
        accept,
    )
