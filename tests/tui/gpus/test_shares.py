"""What share of a GPU each process on it uses, by the real pynvml on simulated GPUs."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from gpus_read import (
    NO_PERMISSION,
    NOT_SUPPORTED,
    ONE,
    OTHER,
    only_gpu,
)
from vramtop.tui.gpus.readings import Reader

if TYPE_CHECKING:
    from conftest import Machine


def test_a_process_has_a_share_of_each_gpu_that_it_keeps_busy(nvml: Machine) -> None:
    nvml.has(
        devices=2,
        processes=f"{ONE}:0:100,{OTHER}:0:5,{ONE}:1:100",
        SHARES=f"{ONE}:0:62:30,{ONE}:1:8:1,77:0:9:9",
    )
    first, second = Reader().read().gpus
    used = [
        (each.pid, each.sm, each.bandwidth)
        for gpu in (first, second)
        for each in gpu.processes or ()
    ]
    assert used == [(ONE, 62, 30), (OTHER, 0, 0), (ONE, 8, 1)]


def test_shares_are_those_of_the_last_seconds(nvml: Machine) -> None:
    nvml.has(devices=1, processes=f"{ONE}:0:100")
    asked = []

    def samples(_: object, since: int) -> list[SimpleNamespace]:
        asked.append(time.time() - since / 1e6)
        return [
            SimpleNamespace(pid=ONE, timeStamp=stamp, smUtil=sm, memUtil=1)
            for stamp, sm in ((2, 20), (3, 30), (1, 10))
        ]

    nvml.answers(nvmlDeviceGetProcessUtilization=samples)
    (process,) = only_gpu(Reader()).processes or ()
    assert process.sm == 30
    assert 1 < asked[0] < 4


@pytest.mark.parametrize("code", [NOT_SUPPORTED, NO_PERMISSION])
def test_shares_that_nvml_does_not_tell_are_unknown(nvml: Machine, code: int) -> None:
    nvml.has(devices=1, processes=f"{ONE}:0:100", SHARES=f"{ONE}:0:62:30")
    nvml.fails({"nvmlDeviceGetProcessUtilization": code})
    gpu = only_gpu(Reader())
    (process,) = gpu.processes or ()
    assert (process.used, process.sm, process.bandwidth) == (100, None, None)
    assert gpu.refused["process_utilization"]


def test_a_share_that_cannot_be_is_unknown(nvml: Machine) -> None:
    nvml.has(devices=1, processes=f"{ONE}:0:100", SHARES=f"{ONE}:0:4000:30")
    gpu = only_gpu(Reader())
    (process,) = gpu.processes or ()
    assert (process.sm, process.bandwidth) == (None, None)
    assert gpu.refused[f"utilization of process {ONE}"] == "4000 % and 30 % cannot be"
