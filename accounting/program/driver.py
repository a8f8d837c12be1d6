"""The driver's figure as a sum whose terms are measured, or are what remains of it. Pure.

The figure and the allocator's own come from two processes at two moments. They count together only
where the allocator took nothing from the driver and gave nothing back between its readings before
and after the figure was asked for.
"""

from __future__ import annotations

from typing import NamedTuple

from vramtop.protocol.observed.driver import DriverSum, Term
from vramtop.protocol.observed.pools import Pool
from vramtop.protocol.observed.record import Progress, WatchedStep
from vramtop.protocol.observed.report import StepReport


class Asked(NamedTuple):
    """What the driver said that a process holds on a GPU, in bytes.

    It was asked at some moment from `begun` to `ended`, by the machine's monotonic clock.
    """

    bytes: int
    begun: float
    ended: float


class ProcessFigures:
    """The driver's figures for a process on one GPU, as far as they fit the allocator's."""

    def __init__(self) -> None:
        self._pool: tuple[float, Pool] | None = None
        self._asked: tuple[Asked, Pool] | None = None
        self._known: tuple[int, int] | None = None  # the figure, and of that the allocator's
        self._least: int | None = None  # outside the allocator

    @property
    def known(self) -> bool:
        """Whether any figure fitted so far."""
        return self._known is not None

    def hear(self, clock: float, pool: Pool) -> None:
        """The allocator has this by this clock."""
        self._pool = clock, pool
        if self._asked is None or clock <= self._asked[0].ended:
            return
        (asked, before), self._asked = self._asked, None
        outside = asked.bytes - pool.reserved
        if before.turnover == pool.turnover and outside >= 0:
            self._known = asked.bytes, pool.reserved
            self._least = outside if self._least is None else min(self._least, outside)

    def ask(self, asked: Asked) -> None:
        """The driver said this; whether it fits is known with the allocator's next figure."""
        if self._pool is not None and self._pool[0] < asked.begun:
            self._asked = asked, self._pool[1]

    def outside(self, reserved: int) -> tuple[int, int] | None:
        """What was outside the allocator when that had `reserved`: the least ever, and all."""
        if self._known is None or self._least is None or self._known[1] != reserved:
            return None
        return self._least, self._known[0] - reserved


def driver_sum(
    step: WatchedStep,
    report: StepReport,
    figures: ProcessFigures | None,
    pinned: int | None,
) -> DriverSum | None:
    """The sum at the end of this step; None where a figure is missing.

    `figures` are those of the process, `pinned` the bytes of pinned host memory.
    """
    end, memory = step.marks[-1], report.allocator
    if memory is None or end.requested is None or end.allocated is None or end.reserved is None:
        return None
    within: dict[Term, int] = {
        "workspace": memory.workspace,
        "step": end.requested - memory.workspace,
        "rounding": end.allocated - end.requested,
        "cache": end.reserved - end.allocated,
    }
    outside = figures.outside(end.reserved) if figures is not None else None
    if outside is not None:
        least, all_ = outside
        terms: dict[Term, int] = {"context": least, "libraries": all_ - least, **within}
        return DriverSum(by="process", bytes=all_ + end.reserved, terms=terms, pinned=pinned)
    if step.cuda_free is None or step.cuda_total is None:
        return None
    figure = step.cuda_total - step.cuda_free
    terms = {"others": figure - end.reserved, **within}
    if min(terms.values()) < 0:
        return None
    return DriverSum(by="device", bytes=figure, terms=terms, pinned=pinned)


class DriverFigures:
    """The driver's figures for a process on all of its GPUs."""

    def __init__(self) -> None:
        self._of: dict[str, ProcessFigures] = {}
        self._pinned: int | None = None

    def hear(self, progress: Progress) -> None:
        """Take in what the allocators have."""
        self._pinned = progress.pinned
        for pool in progress.pools:
            self._of.setdefault(pool.device, ProcessFigures()).hear(progress.clock, pool)

    def unknown(self, progress: Progress) -> bool:
        """Whether there is a GPU of which no figure fitted yet."""
        return not all(self._of[pool.device].known for pool in progress.pools)

    def ask(self, device: str, asked: Asked) -> None:
        """The driver said this of a device."""
        if device in self._of:
            self._of[device].ask(asked)

    def sum(self, step: WatchedStep, report: StepReport) -> DriverSum | None:
        """The sum at the end of this step; None where a figure is missing."""
        return driver_sum(step, report, self._of.get(step.device), self._pinned)
