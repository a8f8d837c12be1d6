"""How CUDA starts: with a driver that is too old, with an error, and with which contexts."""

from __future__ import annotations

import pytest

START = """
import ctypes
runtime, count = ctypes.CDLL("libsimcuda.so"), ctypes.c_int()
version = ctypes.c_int()
runtime.cudaDriverGetVersion(ctypes.byref(version))
print(runtime.cudaGetDeviceCount(ctypes.byref(count)), count.value, version.value)
"""


@pytest.mark.parametrize("error", [803, 804, 999])
def test_cuda_starts_with_the_error_that_was_set(simgpu, error):
    assert simgpu.run(START, simgpu.environment(cuda_error=error)) == f"{error} 0 13000\n"


def test_a_driver_of_an_older_major_version_is_insufficient(simgpu):
    assert simgpu.run(START, simgpu.environment(driver=12020)) == "35 0 12020\n"
    assert simgpu.run(START, simgpu.environment(driver=13010)) == "0 2 13010\n"


def test_contexts_of_ended_processes_stay_recorded(simgpu):
    script = "import ctypes; runtime = ctypes.CDLL('libsimcuda.so')\nruntime.cudaSetDevice(1)"
    machine = simgpu.environment()
    assert simgpu.contexts(machine) == []
    simgpu.run(script, machine)
    simgpu.run(script, machine)
    assert [device for _, device in simgpu.contexts(machine)] == [1, 1]
