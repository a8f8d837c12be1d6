"""Lets these tests share their helpers, and hides from them what the user has chosen.

pytest's importlib mode puts no folder on the path.
"""

import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import terminal


@pytest.fixture
def machine(simgpu):
    """A machine with one simulated GPU of 4 GiB."""
    return simgpu.environment(total=4 * 2**30, devices=1)


@pytest.fixture
def environment(machine):
    """That machine for programs that are watched, with a folder for their sockets."""
    with tempfile.TemporaryDirectory(prefix="vt", dir="/tmp") as folder:
        yield {**machine, "VRAMTOP_SOCKETS": f"{folder}/s", "OMP_NUM_THREADS": "1"}


@pytest.fixture
def run_on(simgpu, monkeypatch):
    """Makes a simulated machine; the workers that this process starts run on it."""

    def make(**description):
        environment = simgpu.environment(**description)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
        return environment

    return make


@pytest.fixture(autouse=True)
def config(tmp_path, monkeypatch):
    """The file in which the monitors of a test keep their choices."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "vramtop" / "config.json"


@pytest.fixture(autouse=True)
def nothing_left_open():
    yield
    terminal.close_all()
