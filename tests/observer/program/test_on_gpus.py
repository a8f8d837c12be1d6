"""Observed on simulated GPUs, a program goes on as ever: when a screen goes, and after a mistake.

"As ever" is its tensors and random numbers to the bit, and each figure of each GPU's allocator.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import piloted
from vramtop.accounting.program.report import report
from vramtop.protocol.observed.record import WatchedStep

if TYPE_CHECKING:
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
    def start(before: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(HERE / "gpu_children.py"), str(folder), before]
        machine = simgpu.environment(devices=1) | {"PYTHONPATH": ":".join(sys.path)}
        return subprocess.Popen(
            command, env=machine, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    with start("{}") as observed:
        assert observed.stdout is not None
        assert observed.stdout.readline() == "observed\n"
        screen = piloted.monitor(folder / f"{observed.pid}.sock")
        screen.watch()
        messages = list(iter(screen.read, None))
        seen, complaints = observed.communicate()
    with start(seen) as unobserved:
        plain, _ = unobserved.communicate()
    assert complaints == ""
    told = json.loads(seen)
    assert len(told["found"]) == 4
    assert not {name: left for name, left in told["found"].items() if left}
    assert json.loads(plain)["made"] == told["made"]
    steps = [message for message in messages if isinstance(message, WatchedStep)]
    assert len(steps) >= 4
    assert {report(step, 1).unattributed for step in steps} == {0}
