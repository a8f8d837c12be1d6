"""Whether a training's steps fit into a GPU with more rows, by a simulated caching allocator."""

from __future__ import annotations

from typing import NamedTuple

from vramtop.accounting.caching import Allocator, Block, NoRoom
from vramtop.accounting.reductions import sum_buffers

from .course import Course

_STEPS = 3  # the third finds the memory as all that follow
_FINENESS = 256  # the most rows are found to one part in so many


class Scaling(NamedTuple):
    """The sizes of a course's blocks with more rows, in proportion or by another course's sizes.

    What has grown with the square of the rows is taken to go on so, as the products of all pairs of
    rows do; what has shrunk, to stay.
    """

    course: Course
    fewer: Course | None = None

    def sizes(self, rows: int) -> list[int]:
        """The sizes with so many rows, rounded up."""
        now = self.course.rows
        if self.fewer is None:
            return [
                -(-size * rows // now) if grows else size
                for size, grows in zip(self.course.sizes, self.course.grows, strict=True)
            ]
        before, made = self.fewer.rows, self.fewer.made
        sizes = [
            _extended((before, less), (now, size), rows)
            for less, size in zip(self.fewer.sizes[:made], self.course.sizes[:made], strict=True)
        ]
        return sizes + list(self.course.sizes[made:])

    @property
    def grows(self) -> bool:
        """Whether anything grows."""
        return self.sizes(2 * self.course.rows) != list(self.course.sizes)


def _extended(fewer: tuple[int, int], more: tuple[int, int], rows: int) -> int:
    """The bytes with so many rows, where a block had some with fewer and with more rows."""
    (before, less), (now, size) = fewer, more
    if size <= less:
        return size
    if size * before**2 == less * now**2:
        return -(-size * rows**2 // now**2)
    return size - (less - size) * (rows - now) // (now - before)


def comparable(course: Course, fewer: Course) -> bool:
    """Whether two courses ask for the same blocks in the same order."""
    return (course.events, course.releases_older) == (fewer.events, fewer.releases_older)


def fits(scaling: Scaling, rows: int, limit: int) -> bool:
    """Whether the first steps with so many rows run where the allocator may have so many bytes."""
    course, sizes = scaling.course, scaling.sizes(rows)
    buffers = {
        place: sum_buffers(added * rows // course.rows, columns)
        for place, (added, columns) in course.sums.items()
    }
    allocator = Allocator(limit)
    older: dict[int, Block] = {}
    try:
        for number in range(_STEPS):
            made: dict[int, Block] = {}
            for place, event in enumerate(course.events):
                for block in course.before.get(place, ()) if number == 0 else ():
                    allocator.take(sizes[block])
                if event >= 0:
                    made[event] = allocator.take(sizes[event])
                    taken = [allocator.take(size) for size in buffers.get(place, ()) if size]
                    for each in taken:
                        allocator.give(each)
                elif place not in course.releases_older:
                    allocator.give(made.pop(~event))
                elif number > 0:
                    allocator.give(older.pop(~event))
            older = made
    except NoRoom:
        return False
    return True


def most_rows(scaling: Scaling, limit: int) -> int:
    """About the most rows that fit into so many bytes, and never fewer than the course has."""
    course = scaling.course
    low, high = course.rows, 2 * course.rows
    while course.requested(scaling.sizes(high)) <= limit:
        low, high = high, 2 * high
    while high - low > max(1, low // _FINENESS):
        middle = (low + high) // 2
        if course.requested(scaling.sizes(middle)) <= limit:
            low = middle
        else:
            high = middle
    # More than this is asked for at once. The allocator's rounding and gaps come on top.
    step = max(1, high // _FINENESS)
    while (low := high - step) > course.rows and not fits(scaling, low, limit):
        high, step = low, 2 * step
    low = max(low, course.rows)
    while high - low > max(1, low // _FINENESS):
        middle = (low + high) // 2
        if fits(scaling, middle, limit):
            low = middle
        else:
            high = middle
    return low
