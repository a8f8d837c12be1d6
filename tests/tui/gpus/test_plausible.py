"""Readings that cannot be true are not shown."""

from __future__ import annotations

import pytest
from gpu_table import GIB, make_gpu
from msgspec.structs import replace
from vramtop.protocol.gpus import Gpu, GpuProcess
from vramtop.tui.gpus.plausible import plausible


def test_possible_readings_stay_as_they_are() -> None:
    hot = make_gpu(0, GpuProcess(1, GIB), temperature=91, slowdown_at=90, shutdown_at=95)
    assert plausible(hot) == hot
    assert plausible(Gpu(0)) == Gpu(0)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("gpu_utilization", 37_100),
        ("memory_utilization", 101),
        ("fan", 201),
        ("temperature", 4_294),
        ("slowdown_at", 0),
        ("shutdown_at", 65_535),
        ("power", 4_294_967.2),
        ("power_cap", 0.0),
        ("sm_clock", 4_000_000),
        ("memory_clock", 4_000_000),
        ("performance_state", 16),
    ],
)
def test_an_impossible_number_is_not_available_and_its_reason_has_it(
    field: str, value: float
) -> None:
    read = make_gpu(0, **{field: value})
    found = plausible(read)
    assert found.refused == {field: f"{value:,g} cannot be"}
    assert found == replace(read, **{field: None, "refused": found.refused})


@pytest.mark.parametrize(
    "memory",
    [
        {"used": 300 * GIB},
        {"free": 81 * GIB},
        {"reserved": 81 * GIB},
        {"used": 40 * GIB, "free": 41 * GIB},
        {"used": 300 * GIB, "free": None, "reserved": None},
        {"total": 0, "used": 0, "free": 0, "reserved": 0},
    ],
)
def test_more_bytes_than_the_gpu_has_are_not_available(memory: dict[str, int]) -> None:
    found = plausible(make_gpu(0, **memory))
    assert (found.total, found.reserved, found.used, found.free) == (None, None, None, None)
    assert found.refused["memory"].endswith("cannot be")
    assert found.gpu_utilization == 37


def test_what_a_driver_rounds_up_is_no_contradiction() -> None:
    rounded = make_gpu(0, used=0, free=79 * GIB + 4096)
    assert plausible(rounded).free == 79 * GIB + 4096


def test_a_process_that_holds_more_than_there_is_keeps_its_line() -> None:
    read = make_gpu(0, GpuProcess(7, 2**60, "ann", "train"), GpuProcess(8, GIB), used=GIB, free=GIB)
    found = plausible(read)
    assert found.processes == (GpuProcess(7, None, "ann", "train"), GpuProcess(8, GIB))
    assert "memory of process 7" in found.refused


def test_instances_are_looked_at_too() -> None:
    part = Gpu(0, "MIG-1", total=10 * GIB, used=20 * GIB, free=0)
    (found,) = plausible(make_gpu(0, instances=(part,))).instances
    assert (found.used, found.total) == (None, None)
