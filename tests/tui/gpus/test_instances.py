"""GPUs that are split into MIG instances, read through the real pynvml."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pynvml
import pytest
from gpus_read import COMPUTING, GIB, NO_PERMISSION, ONE, OTHER, UNKNOWN, only_gpu
from vramtop.protocol.gpus import GpuProcess
from vramtop.tui.gpus.readings import Reader

if TYPE_CHECKING:
    from conftest import Machine


def test_a_gpu_that_is_split_lists_its_instances(nvml: Machine) -> None:
    nvml.has(devices=3, processes=f"{ONE}:1:{GIB},{OTHER}:2:{2 * GIB}")

    def slot(_: object, index: int) -> object:
        """The second and the third GPU stand for instances in the slots 0 and 4 of the first."""
        if index not in (0, 4):
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return pynvml.nvmlDeviceGetHandleByIndex(1 if index == 0 else 2)

    nvml.answers(
        nvmlDeviceGetCount=lambda: 1,
        nvmlDeviceGetMigMode=lambda _: [1, 1],
        nvmlDeviceGetMaxMigDeviceCount=lambda _: 7,
        nvmlDeviceGetMigDeviceHandleByIndex=slot,
    )
    gpu = only_gpu(Reader())
    assert gpu.mig is True
    assert [part.index for part in gpu.instances] == [0, 4]
    assert [part.used for part in gpu.instances] == [GIB, 2 * GIB]
    assert [part.processes for part in gpu.instances] == [
        (GpuProcess(ONE, GIB, type="C"),),
        (GpuProcess(OTHER, 2 * GIB, type="C"),),
    ]
    assert [part.temperature for part in gpu.instances] == [None, None]
    assert "instances" not in gpu.refused


def test_instances_that_may_not_be_seen_are_a_reason(nvml: Machine) -> None:
    def refuse(*_: object) -> None:
        raise pynvml.NVMLError(NO_PERMISSION)

    nvml.has(devices=1)
    nvml.answers(
        nvmlDeviceGetMigMode=lambda _: [1, 1],
        nvmlDeviceGetMaxMigDeviceCount=lambda _: 7,
        nvmlDeviceGetMigDeviceHandleByIndex=refuse,
    )
    gpu = only_gpu(Reader())
    assert (gpu.mig, gpu.instances) == (True, ())
    assert gpu.refused["instances"] == "Insufficient Permissions"


def test_instances_come_from_the_library(nvml: Machine) -> None:
    if not hasattr(nvml.library, "nvmlDeviceGetMigDeviceHandleByIndex"):
        pytest.skip("the simulated library knows no MIG")
    nvml.has(devices=2, MIG="0:2")
    split, whole = Reader().read().gpus
    assert (split.mig, whole.mig) == (True, False)
    assert len(split.instances) == 2
    for part in split.instances:
        assert (part.uuid or "").startswith("MIG-")
        assert part.total is not None
        assert part.total < (split.total or 0)


OF_THE_WHOLE = [
    "nvmlDeviceGetMigMode",
    "nvmlDeviceGetMaxMigDeviceCount",
    "nvmlDeviceGetMigDeviceHandleByIndex",
    "nvmlDeviceGetHandleByIndex_v2",
    "nvmlDeviceGetUUID",
    "nvmlDeviceGetMemoryInfo_v2",
    f"{COMPUTING}_v2",
    "nvmlDeviceGetTemperature",
    "nvmlDeviceGetTemperatureThreshold",
]


@pytest.mark.parametrize("code", [UNKNOWN, 15])
@pytest.mark.parametrize("function", OF_THE_WHOLE)
def test_an_error_of_the_whole_gpu_hides_none_of_its_instances(
    nvml: Machine, function: str, code: int
) -> None:
    nvml.has(devices=1, MIG="0:2", processes=f"{ONE}:0.1:{GIB}")
    reader = Reader()
    healthy = only_gpu(reader)
    assert [part.used for part in healthy.instances] == [0, GIB]
    nvml.fails({f"{function}:0.whole": code})
    assert only_gpu(reader).instances == healthy.instances


def test_an_instance_that_is_lost_keeps_its_line_and_the_others_theirs(nvml: Machine) -> None:
    nvml.has(devices=1, MIG="0:2")
    nvml.fails({"nvmlDeviceGetMemoryInfo_v2:0.1": 15})
    gpu = only_gpu(Reader())
    assert gpu.trouble is None
    assert [part.trouble for part in gpu.instances] == [None, "the GPU is lost"]


def test_a_gpu_that_is_lost_as_a_whole_has_lost_its_instances(nvml: Machine) -> None:
    nvml.has(devices=1, MIG="0:2")
    reader = Reader()
    reader.read()
    nvml.fails({"*:0": 15})
    gpu = only_gpu(reader)
    assert (gpu.trouble, gpu.instances) == ("the GPU is lost", ())
