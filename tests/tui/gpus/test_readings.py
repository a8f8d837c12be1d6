"""The real pynvml, asked about simulated GPUs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pynvml
import pytest
from gpus_read import (
    COMPUTING,
    GIB,
    NO_PERMISSION,
    NOT_SUPPORTED,
    NOT_THERE,
    ONE,
    OTHER,
    TOO_SMALL,
    UNKNOWN,
    idle,
    only_gpu,
)
from msgspec.structs import replace
from vramtop.protocol.gpus import Gpu
from vramtop.tui.gpus.conclusions import occupancy, used_by
from vramtop.tui.gpus.readings import NO_GPU, Reader

if TYPE_CHECKING:
    from conftest import Machine

RESERVED = 600 * 2**20
# What is lost of a GPU when NVML refuses one function.
FIELDS = {
    "nvmlDeviceGetName": ["name"],
    "nvmlDeviceGetUtilizationRates": ["gpu_utilization", "memory_utilization"],
    "nvmlDeviceGetTemperature": ["temperature"],
    "nvmlDeviceGetPowerUsage": ["power"],
    f"{COMPUTING}_v2": ["processes"],
}
CODES = [NOT_SUPPORTED, NO_PERMISSION, UNKNOWN, 4242]


# ---- what a healthy machine says ----------------------------------------------------------------


@pytest.mark.parametrize("devices", [1, 2, 8])
def test_every_gpu_is_read(nvml: Machine, devices: int) -> None:
    warm = ",".join(f"temperature:{device}={54 + device}" for device in range(devices))
    nvml.has(devices=devices, VALUES=warm)
    report = Reader().read()
    assert report.trouble is None
    assert (report.driver_version, report.cuda_version) == ("580.65.06", "13.0")
    assert [gpu.index for gpu in report.gpus] == list(range(devices))
    assert len({gpu.uuid for gpu in report.gpus}) == devices
    assert [gpu.temperature for gpu in report.gpus] == [54 + i for i in range(devices)]


def test_no_gpu_is_said_in_words(nvml: Machine) -> None:
    nvml.has(devices=0)
    report = Reader().read()
    assert (report.gpus, report.trouble) == ((), NO_GPU)


def test_a_gpu_says_what_nvidia_smi_shows(nvml: Machine) -> None:
    nvml.has(devices=1)
    nvml.answers(
        nvmlDeviceGetFanSpeed=lambda _: 31,
        nvmlDeviceGetTotalEccErrors=lambda *_: 2,
        nvmlDeviceGetUtilizationRates=lambda _: SimpleNamespace(gpu=37, memory=11),
        nvmlDeviceGetClockInfo=lambda _, kind: {1: 1980, 2: 2619}[kind],
        nvmlDeviceGetCurrentClocksEventReasons=lambda _: 0x1 | 0x4 | 0x40 | 0x1000,
        nvmlDeviceGetMigMode=lambda _: [0, 1],
    )
    gpu = only_gpu(Reader())
    assert (gpu.uuid or "").startswith("GPU-")
    assert gpu == Gpu(
        index=0,
        uuid=gpu.uuid,
        name="NVIDIA Simulated X100-0",
        total=8 * GIB,
        reserved=RESERVED,
        used=0,
        free=8 * GIB - RESERVED,
        gpu_utilization=37,
        memory_utilization=11,
        temperature=54,
        slowdown_at=90,
        shutdown_at=95,
        power=217.0,
        power_cap=700.0,
        sm_clock=1980,
        memory_clock=2619,
        fan=31,
        performance_state=0,
        bus="00000000:01:00.0",
        encoder=0,
        decoder=0,
        ecc_errors=2,
        throttled=("software power cap", "hardware thermal slowdown", "reason 0x1000"),
        mig=False,
        processes=(),
    )


def test_processes_have_memory_user_and_command(nvml: Machine) -> None:
    pid = os.getpid()
    nvml.has(devices=2, processes=f"{pid}:0:{3 * GIB},{ONE}:0:{GIB},{pid}:1:n")
    first, second = Reader().read().gpus
    assert first.processes is not None
    ours, foreign = first.processes
    assert (ours.pid, ours.used) == (pid, 3 * GIB)
    assert ours.user is not None
    assert Path(sys.executable).name in (ours.command or "")
    assert foreign == idle(ONE, GIB)
    assert second.processes is not None
    assert [process.used for process in second.processes] == [None]


def test_the_device_bar_follows_from_a_gpu(nvml: Machine) -> None:
    nvml.has(devices=1, processes=f"{ONE}:0:{3 * GIB},{OTHER}:0:{GIB}")
    gpu = only_gpu(Reader())
    parts = occupancy(gpu, used_by(gpu, {ONE}))
    assert parts is not None
    assert (parts.driver, parts.others, parts.ours) == (RESERVED, GIB, 3 * GIB)
    assert parts.free == 4 * GIB - RESERVED


def test_more_processes_than_there_was_room_for_are_all_listed(nvml: Machine) -> None:
    nvml.has(devices=1, processes=",".join(f"{pid}:0:1" for pid in range(100, 200)))
    processes = only_gpu(Reader()).processes
    assert processes is not None
    assert [process.pid for process in processes] == list(range(100, 200))


def test_a_process_in_several_instances_holds_what_it_has_in_all(nvml: Machine) -> None:
    nvml.has(devices=1, processes=f"{ONE}:0:100,{OTHER}:0:5,{ONE}:0:20,{OTHER}:0:n")
    assert only_gpu(Reader()).processes == (idle(ONE, 120), idle(OTHER))


def test_a_process_that_computes_and_draws_is_listed_once(
    nvml: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    nvml.has(devices=1, processes=f"{ONE}:0:100,{OTHER}:0:n")
    drawing = "nvmlDeviceGetGraphicsRunningProcesses_v2"
    monkeypatch.setattr(pynvml, "nvmlLib", nvml.library)
    monkeypatch.setattr(nvml.library, drawing, getattr(nvml.library, f"{COMPUTING}_v2"))
    processes = only_gpu(Reader()).processes
    assert processes is not None
    assert [(process.pid, process.used) for process in processes] == [(ONE, 100), (OTHER, None)]
    assert {process.type for process in processes} == {"C+G"}


def test_a_process_that_draws_is_told_from_one_that_computes(nvml: Machine) -> None:
    nvml.has(devices=1, processes=f"{ONE}:0:100,{OTHER}:0:5:G")
    processes = only_gpu(Reader()).processes
    assert processes is not None
    assert [(process.pid, process.type) for process in processes] == [(ONE, "C"), (OTHER, "G")]


# ---- what a driver refuses ----------------------------------------------------------------------


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("function", FIELDS)
def test_a_refused_question_costs_its_own_fields_alone(
    nvml: Machine, function: str, code: int
) -> None:
    nvml.has(devices=1)
    healthy = only_gpu(Reader())
    nvml.fails({function: code})
    gpu = only_gpu(Reader())
    (name,) = set(gpu.refused) - set(healthy.refused)
    assert gpu.refused[name]
    lost = dict.fromkeys(FIELDS[function])
    # The simulated utilization follows the clock.
    same = {"refused": healthy.refused, "gpu_utilization": None}
    assert replace(gpu, **same) == replace(healthy, **{**same, **lost})


def test_a_driver_with_the_first_forms_alone_is_read(nvml: Machine) -> None:
    nvml.has(devices=1, processes=f"{ONE}:0:{GIB},{OTHER}:0:n")
    newer = ("nvmlDeviceGetMemoryInfo_v2", f"{COMPUTING}_v2", f"{COMPUTING}_v3")
    nvml.fails(dict.fromkeys(newer, NOT_THERE))
    gpu = only_gpu(Reader())
    assert gpu.reserved is None
    assert gpu.refused["reserved"] == "this driver does not know it"
    assert (gpu.total, gpu.used) == (8 * GIB, GIB + RESERVED)
    assert gpu.total == gpu.used + (gpu.free or 0)
    assert gpu.processes == (idle(ONE, GIB), idle(OTHER))
    assert "processes" not in gpu.refused


def test_a_driver_without_any_list_tells_no_processes(nvml: Machine) -> None:
    nvml.has(devices=1)
    reader = Reader()
    reader.read()
    nvml.answers(nvmlLib=object())
    gpu = only_gpu(reader)
    assert gpu.processes is None
    assert COMPUTING in gpu.refused["processes"]


def test_a_driver_without_the_second_form_of_a_list_is_asked_the_third(nvml: Machine) -> None:
    nvml.has(devices=1, processes=f"{ONE}:0:{GIB}")
    nvml.fails({f"{COMPUTING}_v2": NOT_THERE})
    assert only_gpu(Reader()).processes == (idle(ONE, GIB),)


def test_an_older_driver_tells_by_its_older_name_what_holds_the_clocks(nvml: Machine) -> None:
    nvml.has(devices=1)
    nvml.fails({"nvmlDeviceGetCurrentClocksEventReasons": NOT_THERE})
    nvml.answers(nvmlDeviceGetCurrentClocksThrottleReasons=lambda _: 0x8)
    assert only_gpu(Reader()).throttled == ("hardware slowdown",)


def test_memory_that_neither_form_tells_is_none_for_both_reasons(nvml: Machine) -> None:
    nvml.has(devices=1)
    nvml.fails({"nvmlDeviceGetMemoryInfo_v2": NOT_SUPPORTED, "nvmlDeviceGetMemoryInfo": UNKNOWN})
    gpu = only_gpu(Reader())
    assert (gpu.total, gpu.reserved, gpu.used, gpu.free) == (None, None, None, None)
    assert gpu.refused["reserved"] == "Not Supported"
    assert gpu.refused["memory"] == "Unknown Error"


def test_what_nvml_declares_not_available_is_none(nvml: Machine) -> None:
    nothing, no_bytes = 2**32 - 1, 2**64 - 1
    nvml.has(devices=1)
    nvml.answers(
        nvmlDeviceGetMemoryInfo=lambda *_: SimpleNamespace(
            total=GIB, reserved=no_bytes, used=no_bytes, free=no_bytes
        ),
        nvmlDeviceGetPowerUsage=lambda _: nothing,
        nvmlDeviceGetPerformanceState=lambda _: 32,
    )
    gpu = only_gpu(Reader())
    assert (gpu.total, gpu.reserved, gpu.used, gpu.free) == (GIB, None, None, None)
    assert (gpu.power, gpu.performance_state) == (None, None)
    for field in ("reserved", "used", "free", "power", "performance_state"):
        assert gpu.refused[field] == "not available"


def test_a_list_that_never_has_room_is_refused(nvml: Machine) -> None:
    nvml.has(devices=1, processes=f"{ONE}:0:1")
    nvml.fails({f"{COMPUTING}_v2": TOO_SMALL})
    gpu = only_gpu(Reader())
    assert gpu.processes is None
    assert gpu.refused["processes"] == "processes come faster than they can be listed"


def test_a_name_that_is_no_text_is_none(nvml: Machine) -> None:
    nvml.has(devices=1)
    nvml.answers(nvmlDeviceGetName=lambda _: b"GeForce \xff".decode())
    gpu = only_gpu(Reader())
    assert gpu.name is None
    assert "0xff" in gpu.refused["name"]
    assert gpu.uuid is not None


def test_a_name_cannot_speak_to_the_terminal(nvml: Machine) -> None:
    nvml.has(devices=1)
    nvml.answers(nvmlDeviceGetName=lambda _: "Ge\x1b]0;Force\x07")
    assert only_gpu(Reader()).name == "Ge ]0;Force"


def test_a_pynvml_that_lacks_a_function_costs_its_field(
    nvml: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    nvml.has(devices=1)
    monkeypatch.delattr(pynvml, "nvmlDeviceGetTemperature")
    gpu = only_gpu(Reader())
    assert gpu.temperature is None
    assert "nvmlDeviceGetTemperature" in gpu.refused["temperature"]
    assert gpu.power == 217.0


@pytest.mark.parametrize("error", [OSError("cannot read the library"), AttributeError("undefined")])
def test_a_symbol_that_cannot_be_looked_up_costs_its_field(nvml: Machine, error: Exception) -> None:
    def fail(_: object) -> None:
        raise error

    nvml.has(devices=1)
    nvml.answers(nvmlDeviceGetPowerUsage=fail)
    gpu = only_gpu(Reader())
    assert gpu.power is None
    assert gpu.refused["power"] == str(error)


def test_readings_that_cannot_be_are_not_available(nvml: Machine) -> None:
    nvml.has(devices=1, processes=f"{ONE}:0:{2**60}", VALUES="utilization=37100,temperature=54")
    gpu = only_gpu(Reader())
    assert (gpu.gpu_utilization, gpu.temperature) == (None, 54)
    assert gpu.refused["gpu_utilization"] == "37,100 cannot be"
    assert gpu.processes == (idle(ONE),)


def test_the_limits_of_heat_are_asked_once(nvml: Machine) -> None:
    nvml.has(devices=1)
    reader = Reader()
    reader.read()
    nvml.fails({"nvmlDeviceGetTemperatureThreshold": UNKNOWN})
    assert (only_gpu(reader).slowdown_at, only_gpu(reader).shutdown_at) == (90, 95)
    gpu = only_gpu(Reader())
    assert (gpu.slowdown_at, gpu.shutdown_at) == (None, None)
    assert "slowdown_at" not in gpu.refused  # many GPUs have none
