"""By how much the batch could grow: an estimate, from two shapes or from one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace
from vramtop.protocol.observed.record import Input, WatchedStep
from vramtop.protocol.observed.shapes import Room

from .course import Course, course_of, rows_of
from .fitting import Scaling, comparable, most_rows

_FINENESS = 256  # smaller parts of the memory change no estimate


class RoomEstimate:
    """The estimate for one device, made anew where a watched step of training has changed anything.

    `room` is None where nothing is known to grow with the batch.
    """

    def __init__(self) -> None:
        self.room: Room | None = None
        self._basis: _Basis | None = None

    def add(self, step: WatchedStep, peak: int, available: int | None) -> None:
        """Take in a step of training with this peak.

        The program's allocator can have so many bytes `available`; None where nobody knows.
        """
        room = self.room
        if room is not None and alike(room.inputs, step.inputs):
            self.room = room = replace(room, proved_rows=_proved(room, rows_of(step.inputs)))
        changed = self._extend(step, peak)
        if available is None or self._basis is None:
            return
        if changed or room is None or _differs(room.available, available):
            self.room = _estimate(room, self._basis, available) or room

    def _extend(self, step: WatchedStep, peak: int) -> bool:
        """Make the step a part of the basis, if it tells more."""
        basis = self._basis
        higher = basis is None or basis.higher(peak, step.inputs)
        if not higher and basis is not None and not basis.nearer(step.inputs):
            return False
        course = course_of(step)
        if course is None:
            return False
        if basis is None:
            self._basis = _Basis(course, peak)
        else:
            self._basis = basis.below(course, peak) if higher else basis._replace(fewer=course)
        return True


class _Basis(NamedTuple):
    """What an estimate is made from.

    It is the step with the highest peak, of several the one with the most rows; and, of those with
    fewer rows and else the same inputs, the one with the most.
    """

    highest: Course
    peak: int
    fewer: Course | None = None

    def higher(self, peak: int, inputs: Sequence[Input]) -> bool:
        """Whether a step with this peak and these inputs would be the highest.

        A little more with as many rows changes nothing that an estimate would show.
        """
        if rows_of(inputs) > self.highest.rows:
            return peak >= self.peak
        return peak > self.peak and _differs(self.peak, peak)

    def nearer(self, inputs: Sequence[Input]) -> bool:
        """Whether a step with these inputs would be the one with fewer rows."""
        least = self.fewer.rows if self.fewer is not None else 0
        within = least < rows_of(inputs) < self.highest.rows
        return within and alike(inputs, self.highest.inputs)

    def below(self, highest: Course, peak: int) -> _Basis:
        """The basis with a step that is higher than its highest one."""
        candidates = [
            each
            for each in (self.highest, self.fewer)
            if each is not None and each.rows < highest.rows and alike(each.inputs, highest.inputs)
        ]
        return _Basis(highest, peak, max(candidates, key=lambda each: each.rows, default=None))


def _estimate(before: Room | None, basis: _Basis, available: int) -> Room | None:
    """An estimate from a basis; None where nothing grows."""
    course, fewer = basis.highest, basis.fewer
    if fewer is not None and not comparable(course, fewer):
        fewer = None
    scaling = Scaling(course, fewer)
    if not scaling.grows:
        return None
    most = most_rows(scaling, available)
    with_one_more = course.requested(scaling.sizes(most + 1))
    still = before is not None and alike(before.inputs, course.inputs)
    return Room(
        inputs=course.inputs,
        rows=course.rows,
        most_rows=most,
        bytes_per_row=with_one_more - course.requested(scaling.sizes(most)),
        by="proportion" if fewer is None else "slope",
        fewer_rows=None if fewer is None else fewer.rows,
        available=available,
        proved_rows=before.proved_rows if still and before is not None else None,
    )


def _proved(room: Room, rows: int) -> int | None:
    """The most rows that were named and that a step then had, after one with so many."""
    if rows <= room.rows:
        return room.proved_rows
    return max(room.proved_rows or 0, min(rows, room.most_rows))


def _differs(before: int, now: int) -> bool:
    """Whether so many bytes are others by more than a little."""
    return abs(now - before) > before // _FINENESS


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
