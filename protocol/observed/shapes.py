"""Which shapes a program's steps had, what each took, and by how much the batch could grow.

All of it is of watched steps only. Sizes are bytes as asked for, times seconds. A step's number is
that of the steps that had passed when the observer sent it, which may be a few more than when it
was made. It is None where nobody counts steps.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from .record import Input, Kind


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """The steps of one kind whose inputs had the same types and shapes.

    So many were `watched`. `peak` is the highest of theirs, `latest_peak` that of the latest.
    `seconds` is the shortest of the watched ones, since watching makes a step longer. `first_step`
    is the number of the first that was watched, `peak_step` that of the one with the highest peak.
    """

    kind: Kind
    inputs: tuple[Input, ...]
    watched: int
    peak: int
    latest_peak: int
    seconds: float
    first_step: int | None
    peak_step: int | None


class NewPeak(msgspec.Struct, frozen=True, kw_only=True):
    """A step that held more than each one before it, whatever its kind."""

    kind: Kind
    inputs: tuple[Input, ...]
    bytes: int
    step: int | None

    def alike(self, other: NewPeak) -> bool:
        """Whether the other one had the same shape."""
        return (self.kind, self.inputs) == (other.kind, other.inputs)


class LeftBehind(msgspec.Struct, frozen=True, kw_only=True):
    """By how much *other* grew from the last training step before evaluations to the next one.

    *Other* is older than the step and nobody's; it is read at the end of each step. That is all
    that was measured: what the training itself keeps in the meantime is in it too. `measured` such
    pairs have grown by `bytes` in all, the latest by `latest`; both may be negative.
    """

    measured: int
    bytes: int
    latest: int


class Shapes(msgspec.Struct, frozen=True, kw_only=True):
    """The shapes `seen` on one device, with the highest peak first, and the latest new `peaks`.

    Of peaks in a row with the same shape only the highest is kept. `unlisted` counts watched steps
    of shapes that are in no row, because there are too many. `left_behind` is None before a
    training step was watched both before and after an evaluation, and on a CPU.
    """

    seen: tuple[Shape, ...] = ()
    unlisted: int = 0
    peaks: tuple[NewPeak, ...] = ()
    left_behind: LeftBehind | None = None


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """An estimate of the largest batch that fits, in rows: the first dimension of the inputs.

    It is made from the training step with the highest peak, which had `rows` of these `inputs`. Of
    the device the program's allocator could have `available` bytes: what it has, and what is free.
    The first steps of a training with so many rows are replayed through a simulated allocator,
    which rounds up and leaves gaps as PyTorch's does; with `most_rows` they fit. `by` says how the
    sizes of blocks with more rows are known:

    - `slope`: measured, from that step and another that had `fewer_rows` and else the same inputs.
    - `proportion`: from one shape. Batch data, activations, and temporaries in forward and backward
      are taken to grow with the rows, all else to stay. As some of these do not grow, more may fit.

    `bytes_per_row` is by how much the peak would then grow with another row. Not counted are
    buffers that an operator takes only for larger batches, and other streams. `proved_rows` were
    watched after an estimate from fewer rows had said that as many fit; None where there was no
    such step.
    """

    inputs: tuple[Input, ...]
    rows: int
    most_rows: int
    bytes_per_row: int
    by: Literal["slope", "proportion"]
    fewer_rows: int | None
    available: int
    proved_rows: int | None = None
