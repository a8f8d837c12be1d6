"""Where the training runs: on which GPU, and in which instance if MIG splits it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from vramtop.protocol.gpus import Gpu, GpuProcess
from vramtop.protocol.messages import Device, DeviceMemory

NOT_LISTED = "NVML does not list this GPU"
UNKNOWN_INSTANCE = "NVML does not tell which MIG instance this is"


class Whereabouts(msgspec.Struct, frozen=True):
    """The GPU of the training, and in `holding` whose memory it uses: the GPU's, or an instance's.

    `holding` is None where it is not known which instance that is.
    """

    gpu: Gpu
    holding: Gpu | None


class Accounts(msgspec.Struct, frozen=True):
    """A GPU with the memory that the training uses; `by_cuda`: by CUDA's figures, not NVML's."""

    gpu: Gpu
    by_cuda: bool = False


def find(gpus: Sequence[Gpu], device: Device | None, pid: int | None) -> Whereabouts | None:
    """Where the process `pid` trains, by its device's UUID; None where NVML does not list it.

    CUDA gives the UUID of the instance, with older drivers that of the whole GPU. The instance is
    then the one that lists the process, or else the only one with as much memory.
    """
    if device is None or device.uuid is None:
        return None
    wanted = _bare(device.uuid)
    for gpu in gpus:
        for part in gpu.instances:
            if part.uuid is not None and _bare(part.uuid) == wanted:
                return Whereabouts(gpu, part)
        if gpu.uuid is not None and _bare(gpu.uuid) == wanted:
            return Whereabouts(gpu, _instance(gpu, device, pid) if gpu.instances else gpu)
    return None


def accounts(where: Whereabouts | None, memory: DeviceMemory | None) -> Accounts | None:
    """The memory by NVML, or else by CUDA, which the worker has asked; None if neither gives it."""
    holding = where.holding if where else None
    if holding is not None and holding.total is not None and holding.free is not None:
        return Accounts(holding)
    if memory is None:
        return None
    return Accounts(_by_cuda(memory, holding.processes if holding else None), by_cuda=True)


def _by_cuda(memory: DeviceMemory, processes: tuple[GpuProcess, ...] | None) -> Gpu:
    free = min(memory.free, memory.total)
    used = memory.total - free
    return Gpu(0, total=memory.total, used=used, free=free, processes=processes)


def _instance(gpu: Gpu, device: Device, pid: int | None) -> Gpu | None:
    ours = [p for p in gpu.instances if any(each.pid == pid for each in p.processes or ())]
    fitting = [part for part in gpu.instances if part.total == device.total_bytes]
    found = ours or fitting
    return found[0] if len(found) == 1 else None


def _bare(uuid: str) -> str:
    """The UUID without its prefix: CUDA does not say whether it is a GPU's or an instance's."""
    return uuid.removeprefix("GPU-").removeprefix("MIG-")
