"""`vramtop sweep` on a simulated GPU: no size is affected by the memory of the one before."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from command import VRAMTOP

if TYPE_CHECKING:
    from simulation import Environment, SimulatedGpu


def rows(machine: Environment, *arguments: str) -> list[dict[str, Any]]:
    command = [VRAMTOP, "sweep", *arguments, "--device", "cuda", "--format", "json"]
    result = subprocess.run(command, capture_output=True, check=True, env=machine)
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


@pytest.fixture(scope="module")
def alone(simgpu: SimulatedGpu) -> dict[str, Any]:
    """A batch of 64 that nothing was run before."""
    machine = simgpu.environment(total=4 * 2**30, devices=1)
    (row,) = rows(machine, "--batch-size", "64", "--images", "18000")
    return row


def test_what_a_large_batch_took_is_given_back_before_the_next_size(
    machine: Environment, alone: dict[str, Any]
) -> None:
    _, after = rows(machine, "--batch-size", "6000,64", "--images", "18000")
    for name in ("reserved", "allocated_peak", "requested_peak", "workspace"):
        assert after["allocator"][name] == alone["allocator"][name], name
    assert after["boundaries"] == alone["boundaries"]


def test_a_size_after_one_that_ran_out_of_memory_begins_anew(
    machine: Environment, alone: dict[str, Any]
) -> None:
    arguments = ("--batch-size", "6000,64", "--images", "18000", "--vram", "90MiB")
    short, after = rows(machine, *arguments)
    assert short["oom"] is True
    assert after["allocator"]["reserved"] == alone["allocator"]["reserved"]
    assert after["test_loss"] == alone["test_loss"]
