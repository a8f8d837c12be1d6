"""The lines of a sweep on how it measured."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from vramtop.tui.words import units
from vramtop.tui.worker.sweep_plan import Plan

from .rows import AnyRow, Row
from .run import Run
from .summary import heading


class Times(msgspec.Struct, frozen=True):
    """Seconds: of the whole sweep, of the worker's start, and of all runs."""

    all: float
    starting: float
    runs: float


def title(plan: Plan, run: Run) -> str:
    """The same for all runs: the data, and the settings except the batch size."""
    assert run.configured is not None
    return f"{run.configured.data.description}\n{heading(run.configured, plan.rate)}"


def notes(plan: Plan, runs: Sequence[Run], rows: Sequence[AnyRow], times: Times) -> list[str]:
    """What is the same for all sizes, what the figures are, and how long it took."""
    assert runs[0].configured is not None
    train_images = runs[0].configured.data.train_images
    return [
        compared(plan, train_images),
        *_test(runs),
        *_repeats(plan),
        *_noise(rows),
        _time(len(runs), times),
    ]


def compared(plan: Plan, train_images: int) -> str:
    """What is the same for all sizes: the parameters, and the images or the steps."""
    images = plan.trials[0].images
    if images is None:
        steps = sorted({trial.steps for trial in plan.trials if trial.steps})
        count = f"{steps[0]:,}" if len(steps) == 1 else f"{steps[0]:,} to {steps[-1]:,}"
        return (
            f"Each size: the same initial parameters, {count} steps; "
            "the larger the batch, the more images it saw."
        )
    passes = images / train_images
    epochs = "one epoch" if passes == 1 else f"{passes:.3g} epochs"
    return (
        f"Each size: the same initial parameters, the same {images:,} images ({epochs}) "
        "in the same order."
    )


def _test(runs: Sequence[Run]) -> list[str]:
    seen = next((run.evaluated for run in runs if run.evaluated is not None), None)
    if seen is None:
        return []
    return [f"Test loss and accuracy: {seen.images:,} images, seen after a run's last step."]


def _repeats(plan: Plan) -> list[str]:
    if plan.repeats == 1:
        return []
    first, last = plan.trials[0].settings.seed, plan.trials[-1].settings.seed
    return [
        f"Medians of {plan.repeats:,} repeats with seeds {first} to {last}: other initial "
        "parameters and another order each time, the same for all sizes."
    ]


def _noise(rows: Sequence[AnyRow]) -> list[str]:
    """The gradient noise scale of each size for which it is known, or that it is not."""
    seen = [(row, row.gradient_noise) for row in rows if isinstance(row, Row)]
    known = [
        f"{noise.scale:,.0f} at batch {row.batch_size:,} ({noise.low:,.0f} to {noise.high:,.0f})"
        for row, noise in seen
        if noise and noise.scale is not None and noise.low is not None and noise.high is not None
    ]
    if known:
        return [f"Gradient noise scale, in images, with its 90% interval: {', '.join(known)}."]
    most = max((noise.estimates for _, noise in seen if noise), default=0)
    if most == 0:
        return []
    several = "1 estimate" if most == 1 else f"{most:,} estimates"
    return [f"Gradient noise scale: not known, {several} cannot tell the gradient from its noise."]


def _time(runs: int, times: Times) -> str:
    """How long the sweep took, and its parts."""
    several = "1 run" if runs == 1 else f"{runs:,} runs"
    rest = times.all - times.starting - times.runs
    return (
        f"Took {units.seconds(times.all)}: {units.seconds(times.starting)} to start the worker "
        f"once, {units.seconds(times.runs)} for {several}, {units.seconds(rest)} for all else."
    )
