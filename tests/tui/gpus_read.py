"""Shared by the tests that read simulated GPUs through the real pynvml."""

from __future__ import annotations

from vramtop.protocol.gpus import Gpu, GpuProcess
from vramtop.tui.gpus.readings import Reader

GIB = 2**30
COMPUTING = "nvmlDeviceGetComputeRunningProcesses"
# No process of this machine has pids as high as these.
ONE, OTHER = 5_000_001, 5_000_002
NOT_SUPPORTED, NO_PERMISSION, TOO_SMALL, NOT_THERE, UNKNOWN = 3, 4, 7, 13, 999


def idle(pid: int, used: int | None = None) -> GpuProcess:
    """A process of no system that computes, and has not worked lately."""
    return GpuProcess(pid, used, type="C", sm=0, bandwidth=0)


def only_gpu(reader: Reader) -> Gpu:
    (gpu,) = reader.read().gpus
    return gpu
