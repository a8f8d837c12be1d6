"""Lets these tests share `made.py`, and gives them an app, and a machine with simulated GPUs.

pytest's importlib mode puts no folder on the path.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pynvml
import pytest

if TYPE_CHECKING:
    from simulation import SimulatedGpu

sys.path.insert(0, str(Path(__file__).parent))

from scripted import Script
from vramtop.protocol.lesson.settings import Settings
from vramtop.tui.app.lesson_app import VramtopApp


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def app(script: Script) -> VramtopApp:
    """The monitor on the scripted worker."""
    return VramtopApp(Settings(), script.start)


class Machine:
    """The simulated GPUs of this process; pynvml finds them where the driver's would be."""

    def __init__(self, library: ctypes.CDLL, faults: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.library = library
        self._faults = faults
        self._monkeypatch = monkeypatch

    def has(self, *, devices: int = 2, processes: str = "", **more: object) -> None:
        """Sets the number of devices and the processes on them, as `pid:device:bytes,…`.

        `n` in place of the bytes means that they are not available.
        """
        variables = {"DEVICES": devices, "OTHERS": processes, **more}
        for name, value in variables.items():
            self._monkeypatch.setenv(f"SIMGPU_{name}", str(value))

    def fails(self, faults: dict[str, int]) -> None:
        """From now on exactly these functions fail, with these codes; `*` means all."""
        new = self._faults.with_suffix(".new")
        new.write_text(",".join(f"{name}={code}" for name, code in faults.items()))
        new.replace(self._faults)  # at once, since it may be read at any time

    def answers(self, **functions: Any) -> None:
        """Replace pynvml's functions of these names."""
        for name, function in functions.items():
            self._monkeypatch.setattr(pynvml, name, function)

    def is_absent(self) -> None:
        """Remove NVML from this machine."""

        def fail(name: str) -> None:
            raise OSError(f"{name}: cannot open shared object file")

        self.answers(nvmlLib=None, CDLL=fail)


@pytest.fixture
def nvml(
    simgpu: SimulatedGpu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Machine]:
    """Two healthy simulated GPUs of 8 GiB, of which the driver keeps 600 MiB each."""
    library = ctypes.CDLL(str(simgpu.libraries / "libnvidia-ml.so.1"))
    with simgpu.nvml(simgpu.environment()):
        monkeypatch.setenv("SIMGPU_CONTROL", str(tmp_path / "faults"))
        yield Machine(library, tmp_path / "faults", monkeypatch)
        monkeypatch.undo()
