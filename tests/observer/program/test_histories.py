"""A program's own history of the allocator is kept, and so are its peaks, on a simulated GPU."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulation import SimulatedGpu


def test_the_programs_own_history_goes_on_and_the_observers_ends(simgpu: SimulatedGpu) -> None:
    program = Path(__file__).parent / "histories.py"
    seen = json.loads(simgpu.run_file(program, simgpu.environment(devices=1)))
    assert all(each["peak"] and each["steps"] > 5 for each in seen.values())
    assert seen["never"]["said"] == seen["before"]["said"] == []
    assert not seen["never"]["recording"]
    assert seen["before"]["recording"]
    assert seen["during"]["recording"]
    assert seen["during"]["said"] == [
        "the program has begun or ended to record the allocator's history"
    ]
