from __future__ import annotations

from typing import TYPE_CHECKING

import psutil
import pytest
from vramtop.tui.gpus.host import HostReader
from vramtop.tui.gpus.readings import Reader

if TYPE_CHECKING:
    from conftest import Machine


def test_the_machine_has_cores_load_and_memory(nvml: Machine) -> None:
    nvml.has(devices=1)
    host = Reader().read().host
    assert host is not None
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    assert (host.cores, host.total) == (psutil.cpu_count(), memory.total)
    assert host.used == pytest.approx(memory.total - memory.available, rel=0.2)
    assert host.swap_total == swap.total
    assert host.load is not None
    assert host.load == pytest.approx(psutil.getloadavg(), abs=1)


def test_the_cores_are_as_busy_as_since_the_last_look(monkeypatch: pytest.MonkeyPatch) -> None:
    times = type(psutil.cpu_times())
    nothing = dict.fromkeys(times._fields, 0.0)
    clock = [
        times(**nothing | {"user": 30.0, "idle": 60.0, "iowait": 10.0, "guest": 5.0}),
        times(**nothing | {"user": 38.0, "idle": 62.0, "iowait": 10.0, "guest": 9.0}),
    ]
    reader = HostReader()
    monkeypatch.setattr(psutil, "cpu_times", lambda: clock.pop(0))
    assert reader.read().cpu == pytest.approx(30)
    assert reader.read().cpu == pytest.approx(80)


def test_a_machine_that_hides_its_swap_has_none_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def hidden() -> None:
        raise OSError("no such file")

    monkeypatch.setattr(psutil, "swap_memory", hidden)
    host = HostReader().read()
    assert (host.swap_total, host.swap_used) == (None, None)
    assert host.total
