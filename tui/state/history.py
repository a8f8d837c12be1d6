"""The samples of the training so far, of which fewer are kept as they grow in number. Pure."""

from __future__ import annotations

import msgspec
from vramtop.protocol.lesson.messages import LessonSample
from vramtop.protocol.messages import Measured, Sample

MAX_POINTS = 600
MAX_MARKS = 100


class Point(msgspec.Struct, frozen=True):
    """One sample.

    `at` counts the images of the lesson, or the steps of another program; `rate` is the same a
    second. `batch_size` is the images of an update, None where that is not known. `loss` is that of
    one step. `peak` is the peak of the latest step that was measured, in bytes, by the allocator
    where there is one, else by the ledger. `reserved` is what the allocator had from the driver.
    `other` is None in the lesson, which has no such category.
    """

    at: int
    batch_size: int | None
    loss: float | None
    rate: float | None
    peak: int | None
    reserved: int | None
    other: int | None = None


class OutOfMemoryMark(msgspec.Struct, frozen=True):
    """Memory ran out at this place, in an update of `batch_size` images where that is known."""

    at: int
    batch_size: int | None


class History(msgspec.Struct, frozen=True):
    """At most `MAX_POINTS` samples, in the order of their places.

    Neighbours are at least `apart`, except that the last is always the newest. Where there are too
    many, some are left out; none is changed. `out_of_memory` says where memory ran out.
    """

    points: tuple[Point, ...] = ()
    apart: int = 1
    out_of_memory: tuple[OutOfMemoryMark, ...] = ()


def of_step(sample: Sample, measured: Measured | None) -> Point:
    """A point for a program's step, whose latest anatomy is `measured`."""
    rate = 1 / sample.step_seconds if sample.step_seconds else None
    other = measured.anatomy.high_water.of("other") if measured else None
    return Point(sample.step, None, sample.loss, rate, *_memory(measured), other)


def of_images(sample: LessonSample, batch_size: int, measured: Measured | None) -> Point:
    """A point for a step of the lesson, at a batch size whose latest anatomy is `measured`."""
    rate = sample.samples_per_second
    return Point(sample.images, batch_size, sample.loss, rate, *_memory(measured))


def _memory(measured: Measured | None) -> tuple[int | None, int | None]:
    """The peak, and what the allocator had from the driver."""
    if measured is None:
        return None, None
    memory = measured.allocator
    if memory is None or memory.allocated_peak is None:
        return measured.anatomy.peak.bytes, None if memory is None else memory.reserved
    return memory.allocated_peak, memory.reserved


def extended(history: History, new: Point) -> History:
    """The history with one more sample, without samples at later places."""
    points, marks = history.points, history.out_of_memory
    if points and new.at < points[-1].at:
        # Parameters were restored, or are fresh.
        end = points[-1].at
        points = tuple(point for point in points if point.at < new.at)
        # The latest out of memory is the reason why they were restored.
        marks = tuple(
            mark if mark.at < new.at else OutOfMemoryMark(new.at, mark.batch_size)
            for mark in marks
            if mark.at < new.at or mark.at == end
        )
    if points and points[-1].at == new.at:
        return History(points, history.apart, marks)
    if len(points) > 1 and points[-1].at - points[-2].at < history.apart:
        points = points[:-1]
    points = (*points, new)
    if len(points) <= MAX_POINTS:
        return History(points, history.apart, marks)
    # About half of them remain, so that there is room for new ones.
    apart = -(-(new.at - points[0].at) // (MAX_POINTS // 2))
    return History(_thinned(points, apart), apart, marks)


def marked(history: History, batch_size: int | None) -> History:
    """The history with an out of memory at its end; before the first sample none is marked."""
    if not history.points:
        return history
    mark = OutOfMemoryMark(history.points[-1].at, batch_size)
    marks = (*history.out_of_memory, mark)[-MAX_MARKS:]
    return msgspec.structs.replace(history, out_of_memory=marks)


def _thinned(points: tuple[Point, ...], apart: int) -> tuple[Point, ...]:
    kept = [points[0]]
    for point in points[1:]:
        if point.at - kept[-1].at >= apart:
            kept.append(point)
    if kept[-1] is not points[-1]:
        kept.append(points[-1])
    return tuple(kept)
