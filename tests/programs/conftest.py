"""Programs that are observed run in children of one process, which has imported torch already."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))

pytest.register_assert_rewrite("observed")

from observed import Observed, read  # noqa: E402

if TYPE_CHECKING:
    from simulation import Environment, SimulatedGpu


@pytest.fixture(scope="session")
def machine(simgpu: SimulatedGpu) -> Environment:
    return simgpu.environment()


@pytest.fixture
def observe(
    simgpu: SimulatedGpu, machine: Environment, tmp_path: Path
) -> Callable[[str, str], Observed]:
    """Runs a program by its name, as "loops.plain", on a device; the real observer watches it."""

    def run(program: str, device: str) -> Observed:
        result = tmp_path / "observed.json"
        visible = {"CUDA_VISIBLE_DEVICES": ""} if device == "cpu" else {}
        script = f"import child; child.run{(program, device, str(result))}"
        simgpu.run_torch(script, machine | visible)
        return read(result)

    return run
