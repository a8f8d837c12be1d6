"""What grows from step to step: bytes that a step leaves behind, who made them and who holds them.

Only an allocator that tells all of its bytes can show it, as that of CUDA does.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from vramtop.protocol.observed.record import WatchedStep
from vramtop.protocol.observed.report import Growth, Split, StepReport
from vramtop.protocol.split import Category

from .other import AUTOCAST, BUCKET, KEPT, OLDER

_LASTING: tuple[Category, ...] = ("other", "parameters", "optimizer_state")
_WATCHED = 16  # steps that are looked at, the latest ones
_LEAST_RISES = 3


class _End(NamedTuple):
    """What there was at the end of a watched step."""

    step: int
    split: Split


class Growing:
    """The latest watched steps of training on one device."""

    def __init__(self) -> None:
        self._ends: deque[_End] = deque(maxlen=_WATCHED)

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
        risen = [(rise, category) for category in _LASTING if (rise := self._rise(category))]
        if not risen:
            return None
        last = self._ends[-1]
        first, category = max(risen, key=lambda each: _grown(each[0], last, each[1]))
        return _growth(first, last, category, step, report)

    def _rise(self, category: Category) -> _End | None:
        """The step since which it has not fallen; None unless it rises, and did so of late."""
        if not self._ends:
            return None
        rises, since = 0, self._ends[-1]
        late = self._ends[len(self._ends) // 2]
        for before in reversed(self._ends):
            more = since.split.of(category) - before.split.of(category)
            if more < 0:
                break
            rises += more > 0
            since = before
        still = self._ends[-1].split.of(category) > late.split.of(category)
        return since if rises >= _LEAST_RISES and still else None


def _grown(first: _End, last: _End, category: Category) -> int:
    return last.split.of(category) - first.split.of(category)


def _growth(
    first: _End, last: _End, category: Category, step: WatchedStep, report: StepReport
) -> Growth:
    other = report.other if category == "other" else ()
    grown = _grown(first, last, category)
    return Growth(
        category=category,
        since=first.step,
        until=last.step,
        before=first.split.of(category),
        bytes=last.split.of(category),
        steps_left=_steps_left(step, report, grown / (last.step - first.step)),
        kept=tuple(each for each in other if each.what == KEPT),
        held=tuple(each for each in other if each.what not in (KEPT, OLDER, BUCKET, AUTOCAST)),
    )


def _steps_left(step: WatchedStep, report: StepReport, each: float) -> int | None:
    """Until the peak of a step is as large as the device."""
    if step.hardware is None or report.allocator is None:
        return None
    return int(max(0, step.hardware.total_bytes - report.allocator.requested_peak) / each)
