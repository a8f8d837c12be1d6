"""The training so far, thinned as it grows: what was sampled, after how many images. Pure."""

from __future__ import annotations

import msgspec
from vramtop.protocol.lesson.messages import LessonMeasured, LessonSample

MAX_POINTS = 600
MAX_MARKS = 100


class Point(msgspec.Struct, frozen=True):
    """One sample, as it was told, after so many images. `batch_size` is what made an update.

    `loss` is that of one step; `peak` the most bytes of the latest step that was looked at (by the
    allocator's account, where there is one, else the ledger's), `reserved` what the allocator had
    from the driver then.
    """

    images: int
    batch_size: int
    loss: float | None
    samples_per_second: float | None
    peak: int | None
    reserved: int | None


class Mark(msgspec.Struct, frozen=True):
    """After so many images an update of so many more did not fit."""

    images: int
    batch_size: int


class History(msgspec.Struct, frozen=True):
    """Samples of one training by their images, at most `MAX_POINTS` and evenly dense.

    No two are nearer than `apart` images, but for the last, which is always the newest. None is
    changed: those that are too many are left out. `shortages` are where it ran out of memory.
    """

    points: tuple[Point, ...] = ()
    apart: int = 1
    shortages: tuple[Mark, ...] = ()


def sampled(sample: LessonSample, batch_size: int, measured: LessonMeasured | None) -> Point:
    """What this sample says, at a batch size whose latest anatomy is `measured`."""
    peak = reserved = None
    if measured is not None:
        peak = measured.anatomy.peak.bytes
        if measured.allocator is not None:
            peak, reserved = measured.allocator.allocated_peak, measured.allocator.reserved
    return Point(sample.images, batch_size, sample.loss, sample.samples_per_second, peak, reserved)


def extended(history: History, new: Point) -> History:
    """The history with one more sample; those of more images are no longer so."""
    points, marks = history.points, history.shortages
    if points and new.images < points[-1].images:
        # Parameters went back, or began anew.
        end = points[-1].images
        points = tuple(point for point in points if point.images < new.images)
        # What did not fit just now is why it went back.
        marks = tuple(
            mark if mark.images < new.images else Mark(new.images, mark.batch_size)
            for mark in marks
            if mark.images < new.images or mark.images == end
        )
    if points and points[-1].images == new.images:
        return History(points, history.apart, marks)
    if len(points) > 1 and points[-1].images - points[-2].images < history.apart:
        points = points[:-1]
    points = (*points, new)
    if len(points) <= MAX_POINTS:
        return History(points, history.apart, marks)
    # Half of them remain, whatever the batch sizes were; the other half is for what comes.
    apart = -(-(new.images - points[0].images) // (MAX_POINTS // 2))
    return History(_thinned(points, apart), apart, marks)


def marked(history: History, batch_size: int) -> History:
    """The history with an out of memory at its end; before the first sample there is no place."""
    if not history.points:
        return history
    mark = Mark(history.points[-1].images, batch_size)
    marks = (*history.shortages, mark)[-MAX_MARKS:]
    return msgspec.structs.replace(history, shortages=marks)


def _thinned(points: tuple[Point, ...], apart: int) -> tuple[Point, ...]:
    kept = [points[0]]
    for point in points[1:]:
        if point.images - kept[-1].images >= apart:
            kept.append(point)
    if kept[-1] is not points[-1]:
        kept.append(points[-1])
    return tuple(kept)
