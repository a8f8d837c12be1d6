"""The simulated GPU (simgpu/README.md), for every test that asks for it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "simgpu"))

from build import CannotBuildError, build
from simulation import SimulatedGpu


@pytest.fixture(scope="session")
def simgpu(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> SimulatedGpu:
    try:
        libraries = build(pytestconfig.cache.mkdir("simgpu"))
    except CannotBuildError as reason:
        pytest.skip(f"no simulated GPU: {reason}")
    return SimulatedGpu(libraries, tmp_path_factory.mktemp("simgpu"))
