"""What an estimate or a sweep tells of one batch size, as an object and as columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from math import ceil
from statistics import median
from typing import get_args, get_origin

import msgspec
from vramtop.protocol.lesson.formula import Formula, lesson
from vramtop.protocol.lesson.messages import LessonOutOfMemory, Predicted
from vramtop.protocol.lesson.settings import DatasetName, OptimizerName
from vramtop.protocol.split import PHASES, AllocatorMemory, Peak, Phase, Split
from vramtop.trainer.data.sources import Source

from .run import Run


class FormulaRow(msgspec.Struct, frozen=True):
    """The lesson's bytes with their total."""

    parameters: int
    gradients: int
    optimizer_state: int
    batch_data: int
    activations: int
    total: int


class Estimate(msgspec.Struct, frozen=True):
    """A batch size that was predicted, in bytes; `allocator` is None on a device without one."""

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
    formula: FormulaRow
    allocator: AllocatorMemory | None
    updates_per_epoch: int


class Range(msgspec.Struct, frozen=True):
    """The least and the greatest of several."""

    low: float
    high: float


class Spread(msgspec.Struct, frozen=True):
    """Of what a repeat with another seed changes; None where nothing is known."""

    step_seconds: Range | None
    samples_per_second: Range | None
    loss: Range | None
    test_loss: Range | None
    test_accuracy: Range | None


class GradientNoise(msgspec.Struct, frozen=True):
    """What a run's last `Noise` message said; see there."""

    estimates: int
    noise: float
    signal: float
    scale: float | None
    low: float | None
    high: float | None


class Row(Estimate, frozen=True):
    """A batch size that was run, `repeats` times with seeds from `seed` on.

    Bytes are those of the run with the highest peak, all else are medians. `steps` and `images` are
    those of one run, `seconds` all that it took. `loss` is the last step's; test loss and accuracy
    (0 to 1) are of the test data after it. None where there is nothing to tell; a `spread` needs
    repeats, a noise scale a run that is long enough. `gradient_noise` is of the run that estimated
    it most often.
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
    """A batch size that did not fit, where that was seen, and the largest that is predicted to fit.

    See `WouldFit` for `at_best` and `unmodelled`. `killed` says that the worker was, as happens
    where a machine or a container has no more memory; then that it ran out is only probable.
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


def make_row(runs: Sequence[Run]) -> Row | OutOfMemoryRow:
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
    settings, anatomy = run.configured.settings, run.measured.anatomy
    figures = _figures(runs)
    spread = Spread(**{name: _range(values) for name, values in figures.items()})
    return Row(
        dataset=settings.dataset,
        data=run.configured.data.source,
        optimizer=settings.optimizer,
        device=run.configured.device.name,
        batch_size=settings.batch_size,
        accumulation=settings.accumulation,
        hidden=settings.hidden,
        boundaries=anatomy.boundaries,
        high_water=anatomy.high_water,
        peak=anatomy.peak,
        formula=_with_total(run.configured.formula),
        allocator=run.measured.allocator,
        updates_per_epoch=ceil(run.configured.data.train_images / settings.effective_batch),
        learning_rate=settings.rate,
        seed=min(run.configured.settings.seed for run in runs if run.configured),
        repeats=len(runs),
        steps=run.sample.step,
        images=run.sample.images,
        seconds=_median([run.seconds for run in runs if run.seconds is not None]),
        spread=spread if len(runs) > 1 else None,
        gradient_noise=_noise(runs),
        **{name: _median(values) for name, values in figures.items()},
    )


def _noise(runs: Sequence[Run]) -> GradientNoise | None:
    """That of the run with the most estimates."""
    seen = [run.noise for run in runs if run.noise is not None]
    if not seen:
        return None
    most = max(seen, key=lambda noise: noise.estimates)
    return GradientNoise(*(getattr(most, name) for name in GradientNoise.__struct_fields__))


def _peak(run: Run) -> int:
    assert run.measured is not None
    return run.measured.anatomy.peak.bytes


def _figures(runs: Sequence[Run]) -> dict[str, list[float]]:
    """What is known of each of the runs, by the names of `Spread`."""
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


def make_estimate(predicted: Predicted, source: Source) -> Estimate | OutOfMemoryRow:
    """The row of what was predicted for images of `source`."""
    settings, anatomy = predicted.settings, predicted.anatomy
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
    return Estimate(
        dataset=settings.dataset,
        data=source.kind,
        optimizer=settings.optimizer,
        device=predicted.device,
        batch_size=settings.batch_size,
        accumulation=settings.accumulation,
        hidden=settings.hidden,
        boundaries=anatomy.boundaries,
        high_water=anatomy.high_water,
        peak=anatomy.peak,
        formula=_with_total(formula),
        allocator=predicted.allocator,
        updates_per_epoch=ceil(source.train_images / settings.effective_batch),
    )


def _with_total(formula: Formula) -> FormulaRow:
    return FormulaRow(**msgspec.structs.asdict(formula), total=formula.total)


def to_csv(kind: type[Estimate], rows: Sequence[Estimate | OutOfMemoryRow]) -> str:
    """A header and a line a row; nested names are joined by dots, what is missing is empty.

    The columns are always the same for one kind of row.
    """
    columns = [*_columns(kind), *_columns(OutOfMemoryRow)[1:]]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({"oom": "false"} | _flat(msgspec.to_builtins(row)))
    return text.getvalue()


def _columns(kind: type[msgspec.Struct], prefix: str = "") -> list[str]:
    """The names of all that such a struct holds, down to plain values."""
    names = []
    for field in msgspec.structs.fields(kind):
        name = prefix + field.name
        inner = [part for part in (field.type, *get_args(field.type)) if _is_struct(part)]
        if not inner:
            names.append(name)
        elif get_origin(field.type) is dict:
            names += [
                column for phase in PHASES for column in _columns(inner[0], f"{name}.{phase}.")
            ]
        else:
            names += _columns(inner[0], f"{name}.")
    return names


def _is_struct(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _flat(values: dict[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        elif isinstance(value, bool):
            flat[prefix + name] = str(value).lower()
        elif isinstance(value, (list, tuple)):
            flat[prefix + name] = " ".join(map(str, value))
        elif value is not None:
            flat[prefix + name] = value
    return flat
