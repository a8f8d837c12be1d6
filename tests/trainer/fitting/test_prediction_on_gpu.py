"""Predictions for a CUDA device beside PyTorch's own caching allocator, on a simulated GPU."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.split import AllocatorMemory, Anatomy

if TYPE_CHECKING:
    from simulation import SimulatedGpu

SEGMENT = 20 * 2**20


class Step(msgspec.Struct):
    anatomy: Anatomy
    allocator: AllocatorMemory


class Report(msgspec.Struct):
    steps: list[tuple[Settings, Step, Step]]
    sums: list[tuple[int, int, int, int]]


@pytest.fixture(scope="module")
def report(simgpu: SimulatedGpu) -> Report:
    program = Path(__file__).parent / "predicted_steps.py"
    printed = simgpu.run_file(program, simgpu.environment(devices=1))
    return msgspec.convert(json.loads(printed), Report)


def test_boundaries_high_water_and_peak_are_predicted_to_the_byte(report: Report) -> None:
    assert len(report.steps) == 2 * 4 * 7 // 2 + 4
    for settings, measured, predicted in report.steps:
        for part in ("boundaries", "high_water", "peak"):
            both = (getattr(each.anatomy, part) for each in (measured, predicted))
            assert len(set(map(repr, both))) == 1, (part, settings)


def test_the_allocators_peaks_are_predicted_with_rounding_and_workspaces(report: Report) -> None:
    for settings, measured, predicted in report.steps:
        for part in ("requested_peak", "allocated_peak", "workspace", "boundaries"):
            both = (getattr(each.allocator, part) for each in (measured, predicted))
            assert len(set(map(repr, both))) == 1, (part, settings)


def test_reserved_bytes_are_predicted_to_within_a_segment(report: Report) -> None:
    for settings, measured, predicted in report.steps:
        apart = abs(measured.allocator.reserved - predicted.allocator.reserved)
        assert apart <= SEGMENT, settings


def test_the_buffers_of_sums_follow_pytorchs_rule(report: Report) -> None:
    assert any(taken for *_, taken, _ in report.sums)
    for rows, columns, taken, by_rule in report.sums:
        assert taken == by_rule, (rows, columns)
