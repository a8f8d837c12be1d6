"""What the allocator had, beside what the record explains."""

from __future__ import annotations

import msgspec
import pytest
from fake_training import training
from vramtop.accounting.program.report import report
from vramtop.protocol.observed.record import Mark, WatchedStep
from vramtop.protocol.observed.report import Allocator


def test_a_consistent_record_leaves_nothing_unattributed() -> None:
    result = training().report(workspace_sizes=(50,))
    assert result.unattributed == 0
    assert result.allocator == Allocator(
        requested_peak=4454,
        allocated_peak=4154 + 512,  # as backward began and as it ended
        reserved=4154 + 2048,
        workspace=50,
    )
    assert result.high_water.other == 0


def shifted(step: WatchedStep, number: int, size: int) -> WatchedStep:
    """The same record, but the allocator had more at a mark."""
    marks = list(step.marks)
    marks[number] = Mark(marks[number].place, marks[number].kind, marks[number].requested + size)
    return msgspec.structs.replace(step, marks=tuple(marks))


@pytest.mark.parametrize("number", range(7, 15))
@pytest.mark.parametrize("size", [-3, 3])
def test_what_the_allocator_has_beyond_it_is_unattributed(number: int, size: int) -> None:
    """At the cut, at each mark within the step and at its end."""
    step = training().record()
    assert step.marks[7].place == step.cut
    assert report(shifted(step, number, size), 1).unattributed == size


def test_a_mark_of_the_first_period_leaves_nothing_unattributed() -> None:
    assert report(shifted(training().record(), 6, 5), 1).unattributed == 0


def test_without_readings_nothing_is_said_of_the_allocator() -> None:
    step = training().record()
    marks = tuple(Mark(mark.place, mark.kind) for mark in step.marks)
    result = training().report(marks=marks)
    assert result.allocator is None
    assert result.unattributed is None
    assert result.boundaries == training().report().boundaries
