"""Accounts by the allocator's trace on a simulated GPU: late releases, workspaces, no trace."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from vramtop.observer.workspaces import lt_bytes
from vramtop.protocol.split import AllocatorMemory, Anatomy, Reading

if TYPE_CHECKING:
    from simulation import SimulatedGpu

Reports = dict[str, list[Any]]

LATE, KEPT = 5_000_000, 4_000
WORKSPACE = 64 * 2**20 + lt_bytes()


class Step(msgspec.Struct):
    anatomy: Anatomy
    allocator: AllocatorMemory

    @property
    def unattributed(self) -> set[int]:
        """Requested bytes at each boundary that belong to nothing."""
        return {
            reading.requested
            - reading.workspace
            - reading.other
            - self.anatomy.boundaries[phase].total
            for phase, reading in self.allocator.boundaries.items()
        }

    def outside(self) -> list[tuple[int | None, int]]:
        """Bytes of workspaces and of nobody, phase by phase."""
        return [(reading.workspace, reading.other) for reading in self.readings]

    @property
    def readings(self) -> list[Reading]:
        return list(self.allocator.boundaries.values())


@pytest.fixture(scope="module")
def reports(simgpu: SimulatedGpu) -> Reports:
    program = Path(__file__).parent / "accounts.py"
    found: Reports = json.loads(simgpu.run_file(program, simgpu.environment(devices=1)))
    return found


def steps(reports: Reports, name: str) -> list[Step]:
    return [msgspec.convert(each, Step) for each in reports[name] if isinstance(each, dict)]


@pytest.mark.parametrize("name", ["estimates", "added"])
def test_the_workspace_stays_as_it_is_over_many_estimates(reports: Reports, name: str) -> None:
    seen = steps(reports, name)
    assert len(seen) == 6
    assert {step.allocator.workspace for step in seen} == {WORKSPACE}
    assert {reading.workspace for step in seen for reading in step.readings} == {WORKSPACE}


@pytest.mark.parametrize("name", ["estimates", "added", "late", "keeping", "untraced", "profiled"])
def test_nothing_is_left_over_at_any_boundary(reports: Reports, name: str) -> None:
    assert {rest for step in steps(reports, name) for rest in step.unattributed} == {0}


def test_an_estimate_before_it_makes_no_step_larger(reports: Reports) -> None:
    for name in ("estimates", "added"):
        first, *rest = steps(reports, name)
        assert {repr(step.anatomy) for step in rest} == {repr(first.anatomy)}


def test_a_tensor_released_late_is_older_than_the_step_and_no_workspace(reports: Reports) -> None:
    (step,) = steps(reports, "late")
    assert step.outside() == [(0, LATE), (0, LATE), (0, 0), (0, 0), (0, 0)]
    assert step.allocator.workspace == 0
    assert step.allocator.requested_peak == step.anatomy.peak.bytes + LATE


def test_a_buffer_that_an_operator_keeps_is_a_workspace_until_it_is_released(
    reports: Reports,
) -> None:
    taken, known, given, again, between = (step.outside() for step in steps(reports, "keeping"))
    assert taken == again == [(0, 0), (KEPT, 0), (KEPT, 0)]
    assert known == [(KEPT, 0)] * 3
    assert given == [(KEPT, 0), (KEPT, 0), (0, 0), (0, 0)]
    assert between == [(0, 0)] * 3


def test_a_step_without_a_whole_trace_has_a_reason_and_no_figures(reports: Reports) -> None:
    overflowed, not_kept, usual = reports["untraced"]
    assert overflowed.startswith("the allocator's trace has ")
    assert not_kept == "a tensor lies in memory that is not the caching allocator's"
    assert msgspec.convert(usual, Step).allocator.workspace == WORKSPACE


def test_a_history_that_somebody_else_records_goes_on(reports: Reports) -> None:
    step, (marked, _), too_short, (_, entries) = reports["profiled"]
    assert marked == 3  # one allocation; a release has two entries
    assert msgspec.convert(step, Step).allocator.workspace == WORKSPACE
    assert too_short.startswith("the allocator's trace has ")
    assert entries == 5


def test_the_cache_is_given_back_once_nothing_is_held_any_more(reports: Reports) -> None:
    assert len({tuple(each) for each in reports["given back"][1:]}) == 1
