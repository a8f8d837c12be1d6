"""Watched steps folded into a row for each kind of step and shape of its inputs."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace
from vramtop.protocol.observed.report import StepReport
from vramtop.protocol.observed.shapes import LeftBehind, NewPeak, Shape, Shapes

MOST_SHAPES = 64
MOST_PEAKS = 32


class Seen(msgspec.Struct, frozen=True):
    """The shapes of one device, and what the next step is compared with.

    `other` are the bytes in no category at the end of the latest training step, None before there
    was one, and on a device whose allocator does not tell what it has. `evaluated` tells that calls
    without training were watched since.
    """

    shapes: Shapes = Shapes()
    other: int | None = None
    evaluated: bool = False


def seen(before: Seen, report: StepReport, seconds: float, steps: int | None) -> Seen:
    """What is known after one more watched step, which took so many seconds.

    `steps` have passed in the program by then; None where nobody counts them.
    """
    rows, unlisted = _rows(before.shapes.seen, report, seconds, steps)
    shapes = Shapes(
        seen=rows,
        unlisted=before.shapes.unlisted + unlisted,
        peaks=_peaks(before.shapes.peaks, report, steps),
        left_behind=before.shapes.left_behind,
    )
    if report.kind == "inference":
        return Seen(shapes, before.other, evaluated=True)
    # Without an allocator that tells, memory that nobody is known to hold is not seen at all.
    other = None if report.allocator is None else report.curve[-1].split.other
    if before.evaluated and before.other is not None and other is not None:
        left = _left_behind(shapes.left_behind, other - before.other)
        shapes = replace(shapes, left_behind=left)
    return Seen(shapes, other)


def _rows(
    before: Iterable[Shape], report: StepReport, seconds: float, steps: int | None
) -> tuple[tuple[Shape, ...], int]:
    """The rows with this step in one of them, and how many steps are in none any more."""
    rows = {(row.kind, row.inputs): row for row in before}
    key, peak = (report.kind, report.inputs), report.peak.bytes
    row = rows.get(key)
    if row is None:
        rows[key] = Shape(
            kind=report.kind,
            inputs=report.inputs,
            watched=1,
            peak=peak,
            latest_peak=peak,
            seconds=seconds,
            first_step=steps,
            peak_step=steps,
        )
    else:
        rows[key] = replace(
            row,
            watched=row.watched + 1,
            peak=max(row.peak, peak),
            latest_peak=peak,
            seconds=min(row.seconds, seconds),
            peak_step=steps if peak > row.peak else row.peak_step,
        )
    by_peak = sorted(rows.values(), key=lambda row: -row.peak)
    return tuple(by_peak[:MOST_SHAPES]), sum(row.watched for row in by_peak[MOST_SHAPES:])


def _peaks(
    before: tuple[NewPeak, ...], report: StepReport, steps: int | None
) -> tuple[NewPeak, ...]:
    """The new peaks, with this step's if it is one."""
    if before and report.peak.bytes <= before[-1].bytes:
        return before
    new = NewPeak(kind=report.kind, inputs=report.inputs, bytes=report.peak.bytes, step=steps)
    kept = before[:-1] if before and new.alike(before[-1]) else before
    return (*kept, new)[-MOST_PEAKS:]


def _left_behind(before: LeftBehind | None, grown: int) -> LeftBehind:
    before = before or LeftBehind(measured=0, bytes=0, latest=0)
    return LeftBehind(
        measured=before.measured + 1, bytes=before.bytes + grown, latest=grown
    )  # fmt: skip
