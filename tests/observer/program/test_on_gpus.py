"""Observed on simulated GPUs, a program goes on as ever: when a screen goes, and after a mistake.

"As ever" is its tensors and random numbers to the bit, and each figure of each GPU's allocator.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import piloted
from vramtop.accounting.program.report import report
from vramtop.protocol.observed.record import WatchedStep

if TYPE_CHECKING:
    from children import Child
    from simulation import SimulatedGpu

HERE = Path(__file__).parent


def _told(simgpu: SimulatedGpu, program: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(simgpu.run_file(HERE / program, simgpu.environment()))
    return told


def test_a_mistake_of_the_observers_removes_it_and_the_program_goes_on(
    simgpu: SimulatedGpu,
) -> None:
    told = _told(simgpu, "gpu_mistakes.py")
    assert len(told) > 25
    assert not {place: wrong for place, wrong in told.items() if wrong}


def test_a_screen_that_goes_in_the_midst_of_a_window_leaves_nothing(simgpu: SimulatedGpu) -> None:
    told = _told(simgpu, "gpu_leaving.py")
    assert len(told) == 12
    assert not {way: wrong for way, wrong in told.items() if wrong}


def test_processes_that_it_makes_in_the_midst_of_a_window_have_nothing_of_ours(
    simgpu: SimulatedGpu, folder: Path
) -> None:
    def start(before: str) -> Child:
        program = (HERE / "gpu_children.py").read_text()
        return simgpu.fork(program, simgpu.environment(devices=1), str(folder), before)

    observed = start("{}")
    screen = piloted.monitor(folder / f"{observed.pid}.sock")
    screen.watch()
    messages = list(iter(screen.read, None))
    seen = observed.end()
    assert observed.errors.read_text() == ""
    told = json.loads(seen)
    assert len(told["found"]) == 4
    assert not {name: left for name, left in told["found"].items() if left}
    assert json.loads(start(seen).end())["made"] == told["made"]
    steps = [message for message in messages if isinstance(message, WatchedStep)]
    assert len(steps) >= 4
    assert {report(step, 1).unattributed for step in steps} == {0}
