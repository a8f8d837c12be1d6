"""What the real pynvml reads from the simulated NVML, in this process."""

from __future__ import annotations

import ctypes
import os

import pynvml
import pytest
from simulation import DRIVER_RESERVED, GIB


@pytest.fixture
def machine(simgpu):
    """Makes a machine, and has this process's pynvml read it until the test ends."""
    opened = []

    def make(**description):
        environment = simgpu.environment(**description)
        opened.append(simgpu.nvml(environment))
        opened[-1].__enter__()
        pynvml.nvmlInit()
        return environment

    yield make
    for block in reversed(opened):
        block.__exit__(None, None, None)


def gpu(index=0):
    """The handle of a GPU."""
    return pynvml.nvmlDeviceGetHandleByIndex(index)


def memory(index):
    return pynvml.nvmlDeviceGetMemoryInfo(gpu(index))


@pytest.mark.parametrize("count", [0, 1, 2, 8])
def test_every_device_has_a_name_a_uuid_and_a_bus_of_its_own(machine, count):
    machine(devices=count)
    assert pynvml.nvmlDeviceGetCount() == count
    gpus = [gpu(index) for index in range(count)]
    assert len({pynvml.nvmlDeviceGetName(one) for one in gpus}) == count
    assert len({pynvml.nvmlDeviceGetUUID(one) for one in gpus}) == count
    buses = {pynvml.nvmlDeviceGetPciInfo(one).busId for one in gpus}
    assert len(buses) == count
    for index, one in enumerate(gpus):
        bus = pynvml.nvmlDeviceGetPciInfo(one).busId
        assert pynvml.nvmlDeviceGetIndex(pynvml.nvmlDeviceGetHandleByPciBusId(bus)) == index
    with pytest.raises(pynvml.NVMLError_InvalidArgument):
        gpu(count)


def test_both_kinds_of_memory_account_add_up(machine):
    machine(others=f"1:0:{GIB}")
    first = pynvml.nvmlDeviceGetMemoryInfo(gpu())
    second = pynvml.nvmlDeviceGetMemoryInfo(gpu(), version=pynvml.nvmlMemory_v2)
    assert second.total == second.reserved + second.used + second.free == 8 * GIB
    assert (second.reserved, second.used) == (DRIVER_RESERVED, GIB)
    assert (first.total, first.used, first.free) == (8 * GIB, GIB + DRIVER_RESERVED, second.free)


def test_a_structure_of_another_version_is_refused(machine):
    machine()
    with pytest.raises(pynvml.NVMLError_ArgumentVersionMismatch):
        pynvml.nvmlDeviceGetMemoryInfo(gpu(), version=0x1000028)


def test_processes_compute_or_draw_and_their_memory_may_be_unknown(machine):
    machine(others=f"11:0:{GIB},12:0:n,13:0:4096:G,14:1:5")
    listed = pynvml.nvmlDeviceGetComputeRunningProcesses(gpu())
    assert [(p.pid, p.usedGpuMemory) for p in listed] == [(11, GIB), (12, None)]
    (drawing,) = pynvml.nvmlDeviceGetGraphicsRunningProcesses(gpu())
    assert (drawing.pid, drawing.usedGpuMemory) == (13, 4096)


def test_pids_may_be_those_of_another_namespace(machine):
    machine(others="11:0:5", values="pid_shift=40000")
    (process,) = pynvml.nvmlDeviceGetComputeRunningProcesses(gpu())
    assert process.pid == 40011


def test_a_process_has_a_name_while_it_runs(machine):
    machine()
    assert "python" in pynvml.nvmlSystemGetProcessName(os.getpid())
    with pytest.raises(pynvml.NVMLError_NotFound):
        pynvml.nvmlSystemGetProcessName(2**31 - 1)


def test_readings_are_set_for_all_devices_or_for_one_and_may_change(machine, simgpu):
    environment = machine(values="utilization=80,temperature:1=91,throttle=0x40,ecc_uncorrected=3")
    assert pynvml.nvmlDeviceGetUtilizationRates(gpu(1)).gpu == 80
    temperatures = [pynvml.nvmlDeviceGetTemperature(gpu(i), 0) for i in range(2)]
    assert temperatures == [54, 91]
    versioned = (ctypes.c_uint * 3)(0x100000C, 0, 0)  # older releases of pynvml do not call it
    assert pynvml.nvmlLib.nvmlDeviceGetTemperatureV(gpu(1), versioned) == 0
    assert versioned[2] == 91
    assert pynvml.nvmlDeviceGetTotalEccErrors(gpu(), 1, 1) == 3
    assert pynvml.nvmlDeviceGetTotalEccErrors(gpu(), 0, 1) == 0
    assert pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(gpu()) == 0x40
    assert pynvml.nvmlDeviceGetCurrentClocksEventReasons(gpu()) == 0x40
    simgpu.control(environment, "utilization=5")
    assert pynvml.nvmlDeviceGetUtilizationRates(gpu(1)).gpu == 5
    assert pynvml.nvmlDeviceGetTemperature(gpu(1), 0) == 91


def test_power_clocks_and_states_are_those_of_a_busy_gpu(machine):
    machine()
    assert 0 < pynvml.nvmlDeviceGetPowerUsage(gpu()) < 700_000
    assert pynvml.nvmlDeviceGetEnforcedPowerLimit(gpu()) == 700_000
    for clock in (pynvml.NVML_CLOCK_GRAPHICS, pynvml.NVML_CLOCK_SM, pynvml.NVML_CLOCK_MEM):
        now = pynvml.nvmlDeviceGetClockInfo(gpu(), clock)
        assert 0 < now <= pynvml.nvmlDeviceGetMaxClockInfo(gpu(), clock)
    assert pynvml.nvmlDeviceGetPerformanceState(gpu()) == 0


def test_unlike_gpus_have_names_and_memory_of_their_own(machine, simgpu):
    environment = machine(total=f"{16 * GIB},{8 * GIB}", names="NVIDIA A,NVIDIA B")
    known = [(pynvml.nvmlDeviceGetName(gpu(n)), memory(n).total) for n in range(2)]
    assert known == [("NVIDIA A", 16 * GIB), ("NVIDIA B", 8 * GIB)]
    program = "import torch; [print(torch.cuda.get_device_properties(n)) for n in range(2)]"
    lines = simgpu.run_torch(program, environment).splitlines()
    for line, (name, total) in zip(lines, known, strict=True):
        assert f"name='{name}'" in line
        assert f"total_memory={total >> 20}MB" in line


def test_a_gpu_has_temperatures_at_which_it_slows_down_and_shuts_down(machine):
    machine(values="slowdown_temperature:1=87")
    limits = [
        [pynvml.nvmlDeviceGetTemperatureThreshold(gpu(n), kind) for kind in (1, 0)] for n in (0, 1)
    ]
    assert limits == [[90, 95], [87, 95]]


def test_a_gpu_has_no_fan_unless_it_is_given_one(machine, simgpu):
    environment = machine()
    with pytest.raises(pynvml.NVMLError_NotSupported):
        pynvml.nvmlDeviceGetFanSpeed(gpu())
    simgpu.control(environment, "fan=45")
    assert pynvml.nvmlDeviceGetFanSpeed(gpu()) == 45


def test_the_system_has_versions(machine):
    machine()
    assert pynvml.nvmlSystemGetDriverVersion() == "580.65.06"
    assert pynvml.nvmlSystemGetNVMLVersion() == "13.580.65.06"
    assert pynvml.nvmlSystemGetCudaDriverVersion() == 13000


def test_a_split_device_has_instances_with_memory_and_processes_of_their_own(machine):
    machine(mig="0:2", others=f"11:0.1:{GIB}")
    assert pynvml.nvmlDeviceGetMigMode(gpu(0)) == [1, 1]
    assert pynvml.nvmlDeviceGetMigMode(gpu(1)) == [0, 0]
    instances = [pynvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu(), index) for index in range(2)]
    with pytest.raises(pynvml.NVMLError_NotFound):
        pynvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu(), 2)
    memory = [pynvml.nvmlDeviceGetMemoryInfo(instance) for instance in instances]
    assert [one.total for one in memory] == [4 * GIB, 4 * GIB]
    assert memory[1].used - memory[0].used == GIB
    (process,) = pynvml.nvmlDeviceGetComputeRunningProcesses(instances[1])
    assert (process.pid, process.gpuInstanceId, process.computeInstanceId) == (11, 1, 0)
    assert pynvml.nvmlDeviceGetComputeRunningProcesses(instances[0]) == []
    assert len(pynvml.nvmlDeviceGetComputeRunningProcesses(gpu())) == 1
    assert pynvml.nvmlDeviceGetUUID(instances[1]).startswith("MIG-")
    for of_the_gpu in (pynvml.nvmlDeviceGetPowerUsage, pynvml.nvmlDeviceGetUtilizationRates):
        with pytest.raises(pynvml.NVMLError_NotSupported):
            of_the_gpu(instances[1])
    parent = pynvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(instances[1])
    assert pynvml.nvmlDeviceGetIndex(parent) == 0


def test_calls_before_init_and_after_shutdown_are_refused(machine):
    machine()
    handle = gpu()
    pynvml.nvmlShutdown()
    with pytest.raises(pynvml.NVMLError_Uninitialized):
        pynvml.nvmlDeviceGetName(handle)
    pynvml.nvmlInit()


def test_pynvml_is_left_unchanged(simgpu):
    before = pynvml.nvmlLib, pynvml._nvmlGetFunctionPointer_cache, dict(os.environ)
    with simgpu.nvml(simgpu.environment(devices=1)):
        pynvml.nvmlInit()
        assert pynvml.nvmlDeviceGetCount() == 1
        pynvml.nvmlShutdown()
    assert (pynvml.nvmlLib, pynvml._nvmlGetFunctionPointer_cache, dict(os.environ)) == before
