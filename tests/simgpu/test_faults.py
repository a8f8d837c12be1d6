"""Errors injected into the simulated NVML: any function, any device, at any moment."""

from __future__ import annotations

import ctypes
import subprocess

import pynvml
import pytest
from build import NVML, RUNTIME, package_folder

LOST, NOT_SUPPORTED, FUNCTION_NOT_FOUND, VERSION_MISMATCH = 15, 3, 13, 18


@pytest.fixture
def machine(simgpu):
    environment = simgpu.environment()
    with simgpu.nvml(environment):
        pynvml.nvmlInit()
        yield environment


def outcome(function, *arguments):
    """The error's number, or 0."""
    try:
        function(*arguments)
    except pynvml.NVMLError as error:
        return error.value
    return 0


def symbols(file, *options):
    lines = subprocess.check_output(["nm", "-D", *options, file], text=True).splitlines()
    return {line.split()[-1].partition("@")[0] for line in lines}


def test_every_function_of_the_library_can_be_made_to_fail(machine, simgpu):
    path = simgpu.libraries / NVML.name
    functions = symbols(path, "--defined-only") - {"nvmlErrorString"}
    assert len(functions) > 50
    library = ctypes.CDLL(str(path))
    simgpu.control(machine, "*=999")
    nothing = [ctypes.c_void_p()] * 5
    assert {name for name in functions if getattr(library, name)(*nothing) != 999} == set()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (3, pynvml.NVMLError_NotSupported),
        (4, pynvml.NVMLError_NoPermission),
        (9, pynvml.NVMLError_DriverNotLoaded),
        (13, pynvml.NVMLError_FunctionNotFound),
        (15, pynvml.NVMLError_GpuIsLost),
        (18, pynvml.NVMLError_LibRmVersionMismatch),
        (999, pynvml.NVMLError_Unknown),
    ],
)
def test_an_error_arrives_as_pynvmls_own_exception(machine, simgpu, error, kind):
    handle = pynvml.nvmlDeviceGetHandleByIndex(0)
    simgpu.control(machine, f"nvmlDeviceGetPowerUsage={error}")
    with pytest.raises(kind) as caught:
        pynvml.nvmlDeviceGetPowerUsage(handle)
    assert str(caught.value)
    assert outcome(pynvml.nvmlDeviceGetTemperature, handle, 0) == 0


def test_an_upgraded_driver_refuses_to_start(machine, simgpu):
    simgpu.control(machine, "nvmlInit_v2=18")
    assert outcome(pynvml.nvmlInit) == VERSION_MISMATCH


def test_a_fault_comes_and_goes_while_the_program_runs(machine, simgpu):
    handle = pynvml.nvmlDeviceGetHandleByIndex(0)
    seen = []
    for text in ("", "nvmlDeviceGetName=15", ""):
        simgpu.control(machine, text)
        seen.append(outcome(pynvml.nvmlDeviceGetName, handle))
    assert seen == [0, LOST, 0]


def test_one_of_two_devices_falls_off_the_bus(machine, simgpu):
    handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(2)]
    simgpu.control(machine, "*:1=15")
    assert [outcome(pynvml.nvmlDeviceGetMemoryInfo, one) for one in handles] == [0, LOST]
    found = [outcome(pynvml.nvmlDeviceGetHandleByIndex, index) for index in range(2)]
    assert found == [0, LOST]
    assert outcome(pynvml.nvmlSystemGetDriverVersion) == 0


def test_a_fault_may_wait_for_some_calls_of_its_device(machine, simgpu):
    handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(2)]
    for text in ("nvmlDeviceGetSerial:1=3@2", "nvmlDeviceGetSerial=3@2"):
        simgpu.control(machine, text)
        seen = [outcome(pynvml.nvmlDeviceGetSerial, handles[1]) for _ in range(3)]
        assert seen == [0, 0, NOT_SUPPORTED]
    simgpu.control(machine, "nvmlDeviceGetSerial:1=3@2")
    assert [outcome(pynvml.nvmlDeviceGetSerial, handles[0]) for _ in range(3)] == [0, 0, 0]


def test_an_old_driver_lists_processes_in_the_first_versions_way(simgpu):
    faults = "".join(
        f"nvmlDeviceGet{what}_v{version}=13,"
        for what, version in [
            ("ComputeRunningProcesses", 2),
            ("ComputeRunningProcesses", 3),
            ("MemoryInfo", 2),
        ]
    )
    with simgpu.nvml(simgpu.environment(others="11:0:4096", faults=faults)):
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        newest = pynvml.nvmlDeviceGetComputeRunningProcesses_v3
        assert outcome(newest, handle) == FUNCTION_NOT_FOUND
        count, rows = ctypes.c_uint(1), (ctypes.c_ulonglong * 2)()
        first = pynvml.nvmlLib.nvmlDeviceGetComputeRunningProcesses
        assert first(handle, ctypes.byref(count), rows) == 0
        assert (count.value, list(rows)) == (1, [11, 4096])
        assert pynvml.nvmlDeviceGetMemoryInfo(handle).total > 0


def test_a_typing_error_in_a_fault_or_a_value_is_reported(simgpu):
    with pytest.raises(ValueError, match="nvmlDeviceGetNam is not simulated"):
        simgpu.environment(faults="nvmlDeviceGetNam=3")
    script = (
        "from pynvml import *; nvmlInit(); nvmlDeviceGetFanSpeed(nvmlDeviceGetHandleByIndex(0))"
    )
    with simgpu.start(script, simgpu.environment(values="fann=3")) as process:
        assert "cannot read SIMGPU_VALUES at: fann" in process.stderr.read()


def test_every_function_that_torch_imports_from_the_runtime_exists(simgpu):
    torch = package_folder("torch") / "lib"
    imported = set()
    for library in ("libc10_cuda.so", "libtorch_cuda.so"):
        imported |= symbols(torch / library, "--undefined-only")
    runtime = {name for name in imported if name.startswith(("cuda", "__cuda"))}
    assert len(runtime) > 80
    assert runtime - symbols(simgpu.libraries / RUNTIME.name, "--defined-only") == set()


def test_a_split_device_can_fail_without_its_instances_and_an_instance_alone(simgpu):
    environment = simgpu.environment(mig="0:2")
    with simgpu.nvml(environment):
        pynvml.nvmlInit()
        gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
        handles = [gpu, *(pynvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu, n) for n in range(2))]

        def outcomes():
            return [outcome(pynvml.nvmlDeviceGetUUID, handle) for handle in handles]

        simgpu.control(environment, "nvmlDeviceGetUUID:0=999")
        assert outcomes() == [999, 999, 999]
        simgpu.control(environment, "*:0.whole=15")
        assert outcomes() == [15, 0, 0]
        simgpu.control(environment, "nvmlDeviceGetUUID:0.1=15@1")
        assert outcomes() == [0, 0, 0]
        assert outcomes() == [0, 0, 15]
