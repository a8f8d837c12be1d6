"""By how much the batch could grow: an estimate, from two shapes or from one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from vramtop.protocol.observed.record import Input
from vramtop.protocol.observed.report import Moment, StepReport
from vramtop.protocol.observed.shapes import Room, Shape


class _Growth(NamedTuple):
    """How many `more` rows fit, negative where not even these do, and what each of them takes.

    `fewer_rows` had the shape that it was measured against, None where there was none.
    """

    more: int
    bytes_per_row: int
    fewer_rows: int | None = None


def room(
    before: Room | None,
    shapes: Iterable[Shape],
    highest: StepReport,
    latest: Sequence[Input],
    available: int,
) -> Room | None:
    """The estimate after one more watched step of training, whose inputs were the `latest`.

    `shapes` has that step's, and `highest` is the step of training with the highest peak, of
    several the one with the most rows. `available` are the bytes that the program's allocator could
    have of the device. None where nothing is known to grow with the batch.
    """
    training = [shape for shape in shapes if shape.kind == "training" and rows_of(shape.inputs)]
    if not training:
        return before
    largest = max(training, key=lambda shape: (shape.peak, rows_of(shape.inputs)))
    budget = available - (highest.allocator.workspace if highest.allocator else 0)
    growth = _by_slope(largest, training, budget)
    if growth is None and highest.inputs == largest.inputs:
        growth = _by_proportion(highest, budget)
    if growth is None:
        return before
    rows = rows_of(largest.inputs)
    return Room(
        inputs=largest.inputs,
        rows=rows,
        most_rows=rows + max(0, growth.more),
        bytes_per_row=growth.bytes_per_row,
        by="proportion" if growth.fewer_rows is None else "slope",
        fewer_rows=growth.fewer_rows,
        available=available,
        proved_rows=_proved(before, largest.inputs, latest),
    )


def rows_of(inputs: Sequence[Input]) -> int:
    """The rows of a batch: the first dimension of the first input that has one, or else 0."""
    return next((each.shape[0] for each in inputs if each.shape), 0)


def alike(some: Sequence[Input], others: Sequence[Input]) -> bool:
    """Whether inputs differ at most in the number of their rows."""
    return len(some) == len(others) and all(
        one == other or _differ_in_rows(one, other, (rows_of(some), rows_of(others)))
        for one, other in zip(some, others, strict=True)
    )


def _differ_in_rows(one: Input, other: Input, rows: tuple[int, int]) -> bool:
    """Whether these inputs have so many rows, and else the same shape."""
    both = bool(one.shape and other.shape) and (one.shape[0], other.shape[0]) == rows
    return both and (one.dtype, one.shape[1:]) == (other.dtype, other.shape[1:])


def _by_slope(largest: Shape, training: Iterable[Shape], budget: int) -> _Growth | None:
    """From the peaks of two shapes, the second with the most rows below the first's."""
    rows = rows_of(largest.inputs)
    fewer = [
        shape
        for shape in training
        if alike(shape.inputs, largest.inputs) and rows_of(shape.inputs) < rows
    ]
    if not fewer:
        return None
    nearest = max(fewer, key=lambda shape: rows_of(shape.inputs))
    added, grown = rows - rows_of(nearest.inputs), largest.peak - nearest.peak
    if grown <= 0:
        return None
    more = (budget - largest.peak) * added // grown
    return _Growth(more, grown // added, rows_of(nearest.inputs))


def _by_proportion(report: StepReport, budget: int) -> _Growth | None:
    """From one step: the moment at which what grows with the rows runs out first."""
    rows = rows_of(report.inputs)
    growing = [(moment.split.total, grows) for moment in report.curve if (grows := _grows(moment))]
    if not growing:
        return None
    more, grows = min(((budget - total) * rows // grows, grows) for total, grows in growing)
    return _Growth(more, grows // rows)


def _grows(moment: Moment) -> int:
    """The bytes at a moment that are taken to grow with the rows."""
    split = moment.split
    passing = split.temporaries if moment.phase in ("forward", "backward") else 0
    return split.batch_data + split.activations + passing


def _proved(before: Room | None, largest: Sequence[Input], inputs: Sequence[Input]) -> int | None:
    """The most rows that an estimate said would fit and that a step then had, now or earlier.

    Forgotten once the estimate is of inputs that differ in more than their rows.
    """
    if before is None or not alike(before.inputs, largest):
        return None
    rows = rows_of(inputs)
    if not alike(before.inputs, inputs) or rows <= before.rows:
        return before.proved_rows
    return max(before.proved_rows or 0, min(rows, before.most_rows))
