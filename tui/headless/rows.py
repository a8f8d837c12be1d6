"""One batch size of an estimate or a sweep, as a row of figures."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from statistics import median
from typing import Any, TypeAlias

import msgspec
from vramtop.protocol.lesson.formula import Formula, lesson
from vramtop.protocol.lesson.messages import LessonOutOfMemory, Predicted
from vramtop.protocol.lesson.settings import DatasetName, OptimizerName, Settings
from vramtop.protocol.split import AllocatorMemory, Anatomy, Peak, Phase, Split
from vramtop.trainer.data.sources import Source

from .results import columns_of, csv_text, flat
from .run import Run


class FormulaBytes(msgspec.Struct, frozen=True):
    """The formula's bytes with their total."""

    parameters: int
    gradients: int
    optimizer_state: int
    batch_data: int
    activations: int
    total: int


class Estimate(msgspec.Struct, frozen=True):
    """A batch size and its bytes, as predicted; `allocator` is None on a device without one."""

    dataset: DatasetName
    data: str
    optimizer: OptimizerName
    device: str
    batch_size: int
    accumulation: int
    hidden: int
    boundaries: dict[Phase, Split]
    high_water: Split
    peak: Peak
    formula: FormulaBytes
    allocator: AllocatorMemory | None
    updates_per_epoch: int


class Range(msgspec.Struct, frozen=True):
    """The least and the greatest of several values."""

    low: float
    high: float


class Spread(msgspec.Struct, frozen=True):
    """The ranges over the repeats of a size; None where nothing is known."""

    step_seconds: Range | None
    samples_per_second: Range | None
    loss: Range | None
    test_loss: Range | None
    test_accuracy: Range | None


class GradientNoise(msgspec.Struct, frozen=True):
    """The fields of a run's latest `Noise` message; see there."""

    estimates: int
    noise: float
    signal: float
    scale: float | None
    low: float | None
    high: float | None


class Row(Estimate, frozen=True):
    """A batch size that was run `repeats` times, with seeds from `seed` on.

    Bytes are those of the run with the highest peak; all other figures are medians. `steps` and
    `images` are those of one run, `seconds` is the time that it took. `loss` is that of the last
    step. Test loss and accuracy (0 to 1) are measured on the test data after it. `spread` is None
    for a single run. `gradient_noise` is that of the run with the most estimates.
    """

    learning_rate: float
    seed: int
    repeats: int
    steps: int
    images: int
    seconds: float | None
    step_seconds: float | None
    samples_per_second: float | None
    loss: float | None
    test_loss: float | None
    test_accuracy: float | None
    spread: Spread | None
    gradient_noise: GradientNoise | None


class OutOfMemoryRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """A batch size that ran out of memory, where it did, and the largest predicted to fit.

    See `WouldFit` for `at_best` and `unmodelled`. `killed` says that the worker was killed, as
    happens when a machine or a container has no more memory; the out of memory is then probable.
    """

    batch_size: int
    oom: bool
    needed: int | None
    budget: int | None
    phase: str | None = None
    operator: str = ""
    would_fit: int | None = None
    at_best: int | None = None
    unmodelled: tuple[str, ...] = ()
    killed: bool = False


SweepRow: TypeAlias = Row | OutOfMemoryRow
AnyRow: TypeAlias = Estimate | OutOfMemoryRow  # a `Row` is an `Estimate` too


def make_row(runs: Sequence[Run]) -> SweepRow:
    """The row of a batch size whose runs have ended; out of memory if any of them was."""
    for run in runs:
        assert run.configured is not None
        if isinstance(run.end, LessonOutOfMemory):
            budget = run.configured.settings.budget
            short, answer = run.end, run.would_fit
            return OutOfMemoryRow(
                short.batch_size,
                True,
                short.needed,
                budget,
                short.phase,
                short.operator,
                answer.largest if answer else None,
                answer.at_best if answer else None,
                answer.unmodelled if answer else (),
                run.killed,
            )
    run = max(runs, key=_peak)
    assert run.configured is not None
    assert run.measured is not None
    assert run.sample is not None
    data, figures = run.configured.data, _figures(runs)
    spread = Spread(**{name: _range(values) for name, values in figures.items()})
    same = _estimate(
        run.configured.settings,
        run.measured.anatomy,
        run.measured.allocator,
        run.configured.formula,
        data=data.source,
        device=run.configured.device.name,
        train_images=data.train_images,
    )
    medians: dict[str, Any] = {name: _median(values) for name, values in figures.items()}
    return Row(
        **msgspec.structs.asdict(same),
        learning_rate=run.configured.settings.rate,
        seed=min(run.configured.settings.seed for run in runs if run.configured),
        repeats=len(runs),
        steps=run.sample.step,
        images=run.sample.images,
        seconds=_median([run.seconds for run in runs if run.seconds is not None]),
        spread=spread if len(runs) > 1 else None,
        gradient_noise=_noise(runs),
        **medians,
    )


def _noise(runs: Sequence[Run]) -> GradientNoise | None:
    """The gradient noise of the run with the most estimates."""
    seen = [run.noise for run in runs if run.noise is not None]
    if not seen:
        return None
    most = max(seen, key=lambda noise: noise.estimates)
    return GradientNoise(*(getattr(most, name) for name in GradientNoise.__struct_fields__))


def _peak(run: Run) -> int:
    assert run.measured is not None
    return run.measured.anatomy.peak.bytes


def _figures(runs: Sequence[Run]) -> dict[str, list[float]]:
    """The known values of all runs, by the names of `Spread`."""
    known = {
        "step_seconds": [run.median_step_seconds for run in runs],
        "samples_per_second": [run.samples_per_second for run in runs],
        "loss": [run.sample.loss if run.sample else None for run in runs],
        "test_loss": [run.evaluated.loss if run.evaluated else None for run in runs],
        "test_accuracy": [run.evaluated.accuracy if run.evaluated else None for run in runs],
    }
    return {
        name: [value for value in values if value is not None] for name, values in known.items()
    }


def _median(values: Sequence[float]) -> float | None:
    return median(values) if values else None


def _range(values: Sequence[float]) -> Range | None:
    return Range(min(values), max(values)) if values else None


def make_estimate(predicted: Predicted, source: Source) -> AnyRow:
    """The row of a prediction for images of `source`."""
    settings = predicted.settings
    if predicted.needed is not None:
        return OutOfMemoryRow(
            settings.batch_size,
            True,
            predicted.needed,
            settings.budget,
            unmodelled=predicted.unmodelled,
        )
    formula = lesson(
        pixels=source.pixels,
        hidden=settings.hidden,
        batch_size=settings.batch_size,
        optimizer=settings.optimizer,
    )
    return _estimate(
        settings,
        predicted.anatomy,
        predicted.allocator,
        formula,
        data=source.kind,
        device=predicted.device,
        train_images=source.train_images,
    )


def _estimate(
    settings: Settings,
    anatomy: Anatomy,
    allocator: AllocatorMemory | None,
    formula: Formula,
    *,
    data: str,
    device: str,
    train_images: int,
) -> Estimate:
    return Estimate(
        dataset=settings.dataset,
        data=data,
        optimizer=settings.optimizer,
        device=device,
        batch_size=settings.batch_size,
        accumulation=settings.accumulation,
        hidden=settings.hidden,
        boundaries=anatomy.boundaries,
        high_water=anatomy.high_water,
        peak=anatomy.peak,
        formula=FormulaBytes(**msgspec.structs.asdict(formula), total=formula.total),
        allocator=allocator,
        updates_per_epoch=ceil(train_images / settings.effective_batch),
    )


def to_csv(kind: type[Estimate], rows: Sequence[AnyRow]) -> str:
    """The rows as CSV. One kind of row always has the same columns, whatever fits."""
    columns = [*columns_of(kind), *columns_of(OutOfMemoryRow)[1:]]
    return csv_text(columns, ({"oom": "false"} | flat(msgspec.to_builtins(row)) for row in rows))
