"""What grows from step to step: bytes that a step leaves behind, who made them and who holds them.

Only an allocator that tells all of its bytes can show it, as that of CUDA does. That there is
growth shows in the levels after steps, within seconds. What it is that grows, only watched steps
tell: by what two of them hold, or by what one of them leaves behind.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from vramtop.protocol.observed.pools import Level
from vramtop.protocol.observed.record import WatchedStep
from vramtop.protocol.observed.report import Growth, Held, Split, StepReport
from vramtop.protocol.split import Category

from .levels import Levels, Rise
from .other import AUTOCAST, BUCKET, KEPT, OLDER

_LASTING: tuple[Category, ...] = ("other", "parameters", "optimizer_state")
_WATCHED = 16  # steps that are looked at, the latest ones
_LEAST_RISES = 3  # where no levels say that something grows
_LEAST_PART = 0.5  # of what the levels rise by has to be found in watched steps


class _End(NamedTuple):
    """What there was at the end of a watched step."""

    step: int
    split: Split


class Growing:
    """The latest watched steps of training on one device, and its levels."""

    def __init__(self) -> None:
        self._ends: deque[_End] = deque(maxlen=_WATCHED)
        self._levels = Levels()

    def hear(self, level: Level) -> None:
        """Take in a level."""
        self._levels.add(level)

    @property
    def rises(self) -> bool:
        """Whether the levels rise, so that it is worth while to look for what grows."""
        return self._levels.rise is not None

    def add(self, report: StepReport) -> None:
        """Take in the report of a watched step."""
        if report.kind != "training" or report.allocator is None or not report.phases:
            return
        end = _End(report.steps, report.boundaries[report.phases[-1]])
        if self._ends and end.step <= self._ends[-1].step:
            self._ends.clear()  # the program's steps are counted anew
        self._ends.append(end)

    def growth(self, step: WatchedStep, report: StepReport) -> Growth | None:
        """What grows most; None where nothing does, or where that cannot be known.

        `report` is that of the latest `step`, with the holders that are known.
        """
        if not self._ends:
            return None
        risen = [(rise, category) for category in _LASTING if (rise := self._rise(category))]
        last = self._ends[-1]
        levels = self._levels.rise
        if not risen:
            left = sum(each.bytes for each in report.left_behind)
            if levels is None or left < _LEAST_PART * levels.bytes_a_step:
                return None
            return _growth_by_levels(levels, last, step, report)
        first, category = max(risen, key=lambda each: _grown(each[0], last, each[1]))
        if levels is not None and last.step - first.step < _LEAST_PART * levels.steps:
            return _growth_by_levels(levels, last, step, report)  # they tell the rate far better
        return _growth(first, last, category, step, report)

    def _rise(self, category: Category) -> _End | None:
        """The step since which it has not fallen; None unless it rises, and did so of late.

        Where the levels rise, one rise is enough if it is most of theirs.
        """
        rises, since, last = 0, self._ends[-1], self._ends[-1]
        late = self._ends[(len(self._ends) - 1) // 2]
        for before in reversed(self._ends):
            more = since.split.of(category) - before.split.of(category)
            if more < 0:
                break
            rises += more > 0
            since = before
        if last.split.of(category) <= late.split.of(category):
            return None
        rise = self._levels.rise
        most = rise is not None and _grown(since, last, category) >= (
            _LEAST_PART * rise.bytes_a_step * (last.step - since.step)
        )
        return since if most or rises >= _LEAST_RISES else None


def _grown(first: _End, last: _End, category: Category) -> int:
    return last.split.of(category) - first.split.of(category)


def _growth_by_levels(rise: Rise, at: _End, step: WatchedStep, report: StepReport) -> Growth:
    """What all of them together grow by, where only one step was watched, which is `at`."""
    left = _steps_left(step, report, rise.bytes_a_step)
    since = rise.last.step - at.step
    return Growth(
        category=None,
        since=rise.first.step,
        until=rise.last.step,
        before=rise.first.bytes,
        bytes=rise.last.bytes,
        steps_left=None if left is None else max(0, left - since),
        kept=report.left_behind,
        held=_held(report),
    )


def _growth(
    first: _End, last: _End, category: Category, step: WatchedStep, report: StepReport
) -> Growth:
    other = category == "other"
    grown = _grown(first, last, category)
    return Growth(
        category=category,
        since=first.step,
        until=last.step,
        before=first.split.of(category),
        bytes=last.split.of(category),
        steps_left=_steps_left(step, report, grown / (last.step - first.step)),
        kept=report.left_behind if other else (),
        held=_held(report) if other else (),
    )


def _held(report: StepReport) -> tuple[Held, ...]:
    nobody = (KEPT, OLDER, BUCKET, AUTOCAST)
    return tuple(each for each in report.other if each.what not in nobody)


def _steps_left(step: WatchedStep, report: StepReport, each: float) -> int | None:
    """Until the peak of a step is as large as the device."""
    if step.hardware is None or report.allocator is None:
        return None
    return int(max(0, step.hardware.total_bytes - report.allocator.requested_peak) / each)
