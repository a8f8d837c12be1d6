"""The account by the allocator's trace on a simulated GPU: late releases, workspaces, no trace."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from vramtop.protocol.split import AllocatorMemory, Anatomy, Reading
from vramtop.trainer.fitting.workspaces import lt_bytes

if TYPE_CHECKING:
    from simulation import SimulatedGpu

Told = dict[str, list[Any]]

LATE, KEPT = 5_000_000, 4_000
WORKSPACE = 64 * 2**20 + lt_bytes()


class Step(msgspec.Struct):
    anatomy: Anatomy
    allocator: AllocatorMemory

    @property
    def unattributed(self) -> set[int]:
        """What is left at each boundary of the bytes that were asked for."""
        return {
            reading.requested
            - reading.workspace
            - reading.other
            - self.anatomy.boundaries[phase].total
            for phase, reading in self.allocator.boundaries.items()
        }

    def outside(self) -> list[tuple[int | None, int]]:
        """Workspace and what is nobody's, phase by phase."""
        return [(reading.workspace, reading.other) for reading in self.readings]

    @property
    def readings(self) -> list[Reading]:
        return list(self.allocator.boundaries.values())


@pytest.fixture(scope="module")
def told(simgpu: SimulatedGpu) -> Told:
    program = (Path(__file__).parent / "accounts.py").read_text()
    said: Told = json.loads(simgpu.run(program, simgpu.environment(devices=1)))
    return said


def steps(told: Told, name: str) -> list[Step]:
    return [msgspec.convert(each, Step) for each in told[name] if isinstance(each, dict)]


@pytest.mark.parametrize("name", ["estimates", "added"])
def test_the_workspace_stays_as_it_is_over_many_estimates(told: Told, name: str) -> None:
    seen = steps(told, name)
    assert len(seen) == 18
    assert {step.allocator.workspace for step in seen} == {WORKSPACE}
    assert {reading.workspace for step in seen for reading in step.readings} == {WORKSPACE}


@pytest.mark.parametrize("name", ["estimates", "added", "late", "keeping", "untraced", "profiled"])
def test_nothing_is_left_over_at_any_boundary(told: Told, name: str) -> None:
    assert {rest for step in steps(told, name) for rest in step.unattributed} == {0}


def test_an_estimate_before_it_makes_no_step_larger(told: Told) -> None:
    for name in ("estimates", "added"):
        first, *rest = steps(told, name)
        assert {repr(step.anatomy) for step in rest} == {repr(first.anatomy)}


def test_what_is_let_go_of_late_is_older_than_the_step_and_no_workspace(told: Told) -> None:
    (step,) = steps(told, "late")
    assert step.outside() == [(0, LATE), (0, LATE), (0, 0), (0, 0), (0, 0)]
    assert step.allocator.workspace == 0
    assert step.allocator.requested_peak == step.anatomy.peak.bytes + LATE


def test_a_buffer_that_an_operator_keeps_is_a_workspace_until_it_is_released(told: Told) -> None:
    taken, known, given, again, between = (step.outside() for step in steps(told, "keeping"))
    assert taken == again == [(0, 0), (KEPT, 0), (KEPT, 0)]
    assert known == [(KEPT, 0)] * 3
    assert given == [(KEPT, 0), (KEPT, 0), (0, 0), (0, 0)]
    assert between == [(0, 0)] * 3


def test_without_a_whole_trace_there_is_a_reason_and_no_figure(told: Told) -> None:
    overflowed, not_kept, usual = told["untraced"]
    assert overflowed.startswith("the allocator's trace has ")
    assert not_kept == "a tensor lies in memory that is not the caching allocator's"
    assert msgspec.convert(usual, Step).allocator.workspace == WORKSPACE


def test_a_history_that_somebody_else_records_goes_on(told: Told) -> None:
    step, (marked, _), too_short, (_, entries) = told["profiled"]
    assert marked == 3  # taken, and given back in two entries
    assert msgspec.convert(step, Step).allocator.workspace == WORKSPACE
    assert too_short.startswith("the allocator's trace has ")
    assert entries == 5


def test_the_cache_is_given_back_once_nothing_is_held_any_more(told: Told) -> None:
    assert len({tuple(each) for each in told["given back"][1:]}) == 1
