"""What a plain step is not slowed by, on a simulated GPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulation import SimulatedGpu


def test_reports_of_plain_steps_never_wait_for_the_device(simgpu: SimulatedGpu) -> None:
    program = (Path(__file__).parent / "plain_steps.py").read_text()
    samples, complete = map(int, simgpu.run(program, simgpu.environment(devices=1)).split())
    assert samples >= 4
    assert complete >= samples - 1  # the first one may come before any time is known
