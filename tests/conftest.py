"""Fixtures of all tests: the simulated GPU (simgpu/README.md) and imports; one thread each."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "simgpu"))
# Tests run on all cores already. PyTorch's threads would only wait for each other, each with a core
# of its own, and read this when it is imported; so do the workers that tests start.
os.environ["OMP_NUM_THREADS"] = "1"
# Hundreds of processes are started, and need not compile the same modules each for itself.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

from build import CannotBuildError, build
from simulation import SimulatedGpu


@pytest.fixture(scope="session")
def simgpu(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SimulatedGpu]:
    try:
        libraries = build(pytestconfig.cache.mkdir("simgpu"))
    except CannotBuildError as reason:
        pytest.skip(f"no simulated GPU: {reason}")
    with closing(SimulatedGpu(libraries, tmp_path_factory.mktemp("simgpu"))) as made:
        yield made


@pytest.fixture(scope="session")
def modules_after() -> Callable[[str], set[str]]:
    """The names of all modules that a fresh Python has imported after some code."""

    def run(code: str) -> set[str]:
        program = f"import sys; {code}; print(*sys.modules)"
        ran = subprocess.run(
            [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60
        )
        return set(ran.stdout.split())

    return run


def pytest_xdist_auto_num_workers() -> int:
    """A process more than there are cores: tests of screens and of programs often wait."""
    cores = (
        os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    )
    return len(cores) + 1
