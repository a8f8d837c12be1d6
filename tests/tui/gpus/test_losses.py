"""Lost GPUs and a driver that stops: the real pynvml on simulated GPUs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pynvml
import pytest
from msgspec.structs import replace
from vramtop.protocol.gpus import Gpu, GpusReport
from vramtop.tui.gpus.conclusions import UNLISTED
from vramtop.tui.gpus.nvml import NO_DRIVER
from vramtop.tui.gpus.readings import Reader

if TYPE_CHECKING:
    from conftest import Machine

NO_PERMISSION, LOST, RESET, UNKNOWN = 4, 15, 16, 999
DOWN = {
    1: "NVML is not initialized",
    9: "the NVIDIA driver is not loaded",
    12: NO_DRIVER,
    18: "NVIDIA driver/library version mismatch",
}
NO_ANSWER = {
    NO_PERMISSION: "NVML does not answer: Insufficient Permissions",
    LOST: "NVML does not answer: the GPU is lost",
    UNKNOWN: "NVML does not answer: Unknown Error",
}
QUESTIONS = (
    "nvmlDeviceGetHandleByIndex_v2",
    "nvmlDeviceGetName",
    "nvmlDeviceGetMemoryInfo_v2",
    "nvmlDeviceGetComputeRunningProcesses_v2",
    "nvmlDeviceGetTemperature",
)


def only_gpu(reader: Reader) -> Gpu:
    (gpu,) = reader.read().gpus
    return gpu


# ---- a GPU that is lost -------------------------------------------------------------------------


@pytest.mark.parametrize("code", [LOST, RESET])
@pytest.mark.parametrize("function", QUESTIONS)
def test_a_lost_gpu_keeps_its_place_and_recovers(nvml: Machine, function: str, code: int) -> None:
    nvml.has(devices=1)
    reader = Reader()
    before = only_gpu(reader)
    nvml.fails({function: code})
    report = reader.read()
    (gpu,) = report.gpus
    assert report.trouble is None
    assert gpu.trouble in ("the GPU is lost", "the GPU needs a reset")
    # Without its handle nothing can be asked, not even whether it is split.
    split = None if function.startswith("nvmlDeviceGetHandle") else False
    kept = Gpu(0, before.uuid, before.name, total=before.total, bus=before.bus, mig=split)
    assert gpu == replace(kept, trouble=gpu.trouble)
    nvml.fails({})
    assert only_gpu(reader).trouble is None


def test_a_lost_gpu_leaves_the_others_alone(nvml: Machine) -> None:
    nvml.has(devices=2)

    def temperature(handle: object, _: int) -> int:
        if pynvml.nvmlDeviceGetIndex(handle) == 0:
            raise pynvml.NVMLError(LOST)
        return 61

    nvml.answers(nvmlDeviceGetTemperature=temperature)
    first, second = Reader().read().gpus
    assert first.trouble == "the GPU is lost"
    assert first.name == "NVIDIA Simulated X100-0"  # it still said that before it was lost
    assert (second.trouble, second.temperature) == (None, 61)


def test_a_gpu_that_falls_off_the_bus_stays_in_the_list(nvml: Machine) -> None:
    nvml.has(devices=2)
    reader = Reader()
    uuids = [gpu.uuid for gpu in reader.read().gpus]
    nvml.has(devices=1)
    gpus = reader.read().gpus
    assert [gpu.uuid for gpu in gpus] == uuids
    assert [gpu.trouble for gpu in gpus] == [None, UNLISTED]
    nvml.has(devices=2)
    assert [gpu.trouble for gpu in reader.read().gpus] == [None, None]


# ---- all of NVML --------------------------------------------------------------------------------


@pytest.mark.parametrize("function", ["nvmlInit_v2", "nvmlDeviceGetCount_v2", "*"])
@pytest.mark.parametrize("code", [*DOWN, *NO_ANSWER])
def test_when_nvml_fails_the_report_says_so_and_the_next_recovers(
    nvml: Machine, function: str, code: int
) -> None:
    nvml.fails({function: code})
    reader = Reader()
    report = reader.read()
    assert report == GpusReport(trouble=(DOWN | NO_ANSWER)[code])
    nvml.fails({})
    assert reader.read().trouble is None


@pytest.mark.parametrize("code", DOWN)
@pytest.mark.parametrize("function", [*QUESTIONS, "*"])
def test_a_driver_that_goes_in_the_middle_takes_all_numbers_with_it(
    nvml: Machine, function: str, code: int
) -> None:
    reader = Reader()
    before = reader.read()
    nvml.fails({function: code})
    report = reader.read()
    assert report.trouble == DOWN[code]
    assert report.gpus == tuple(
        Gpu(gpu.index, gpu.uuid, gpu.name, total=gpu.total, bus=gpu.bus, trouble=DOWN[code])
        for gpu in before.gpus
    )
    nvml.fails({})
    assert [gpu.uuid for gpu in reader.read().gpus] == [gpu.uuid for gpu in before.gpus]


def test_nvml_is_initialized_anew_only_after_a_failure(nvml: Machine) -> None:
    calls: list[str] = []

    def counted(name: str) -> Callable[[], None]:
        function = getattr(pynvml, name)

        def call() -> None:
            calls.append(name)
            function()

        return call

    nvml.answers(nvmlInit=counted("nvmlInit"), nvmlShutdown=counted("nvmlShutdown"))
    reader = Reader()
    reader.read()
    reader.read()
    assert calls == ["nvmlInit"]
    nvml.fails({"nvmlDeviceGetCount_v2": UNKNOWN})
    reader.read()
    nvml.fails({})
    reader.read()
    reader.close()
    reader.close()
    assert calls == ["nvmlInit", "nvmlShutdown"] * 2


def test_without_the_library_there_is_no_driver(nvml: Machine) -> None:
    nvml.is_absent()
    assert Reader().read().trouble == NO_DRIVER


def test_a_library_that_is_not_nvml_is_said_in_words(nvml: Machine) -> None:
    nvml.answers(nvmlLib=None, CDLL=lambda _: object(), _nvmlGetFunctionPointer_cache={})
    assert Reader().read().trouble == "NVML does not answer: this driver does not know it"
