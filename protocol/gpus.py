"""What NVML says of every GPU at one moment.

A field is None where NVML gives no value. `refused` then has NVML's reason, by the field's name.
Reasons under `memory`, `utilization` and `instances` concern several fields. One under
`graphics_processes` or `mps_processes` says why `processes` lacks that list.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from vramtop.protocol.messages import Message

# What a process uses a GPU for, as NVML lists it: to compute (C), to draw (G), or both.
ProcessType = Literal["C", "G", "C+G"]
# Whether a process can be looked into: it is observed already, it can be, or it cannot be.
Inside = Literal["observed", "possible", "impossible"]


class GpuProcess(msgspec.Struct, frozen=True):
    """A process that holds memory on a GPU; `used` in bytes, its context included.

    `sm` and `bandwidth` are the percent of the latest sampled time, a second at most, in which its
    kernels ran on this GPU, and in which the GPU's memory was read or written for it.

    The rest is the operating system's, and the same on each GPU. It is None where the process
    cannot be looked up: it has just ended, or it belongs to another namespace. `cpu` is in percent
    of one core since the report before, in the first since the process started. `resident` is its
    host memory in bytes. `started` counts in seconds since 1970, `seconds` is for how long it has
    run. `obstacle` is the reason, in a few words, where looking into it is impossible.
    """

    pid: int
    used: int | None = None
    user: str | None = None
    command: str | None = None
    type: ProcessType | None = None
    sm: int | None = None
    bandwidth: int | None = None
    cpu: float | None = None
    resident: int | None = None
    started: float | None = None
    seconds: int | None = None
    parent: int | None = None
    inside: Inside | None = None
    obstacle: str | None = None


class Gpu(msgspec.Struct, frozen=True):
    """A GPU, or a MIG instance of one.

    `index` is NVML's: GPUs are in the order of the PCI bus, instances in that of their slots within
    the GPU. Memory is in bytes. `reserved` is what the driver keeps for itself, `used` what
    processes hold: total = reserved + used + free. Older drivers do not report `reserved`; then
    `used` includes it: total = used + free.

    `bus` is its address on the PCI bus. Utilizations and the fan are in percent, `encoder` and
    `decoder` are those of its video engines; power in watts, clocks in MHz. Temperatures are in °C;
    at `slowdown_at` the GPU slows itself down, at `shutdown_at` it shuts down. `performance_state`
    counts from 0, the fastest, to 15. `ecc_errors` are the uncorrected ones since the driver was
    loaded. `throttled` names the reasons for lower clocks; idleness is not one. An instance has an
    identity, memory and processes of its own; all other fields belong to the whole GPU.

    `trouble` is the reason where the GPU does not answer at all. Then only the fields that never
    change are set.
    """

    index: int
    uuid: str | None = None
    name: str | None = None
    total: int | None = None
    reserved: int | None = None
    used: int | None = None
    free: int | None = None
    gpu_utilization: int | None = None
    memory_utilization: int | None = None
    temperature: int | None = None
    slowdown_at: int | None = None
    shutdown_at: int | None = None
    power: float | None = None
    power_cap: float | None = None
    sm_clock: int | None = None
    memory_clock: int | None = None
    fan: int | None = None
    performance_state: int | None = None
    bus: str | None = None
    encoder: int | None = None
    decoder: int | None = None
    ecc_errors: int | None = None
    throttled: tuple[str, ...] | None = None
    mig: bool | None = None
    instances: tuple[Gpu, ...] = ()
    processes: tuple[GpuProcess, ...] | None = None
    trouble: str | None = None
    refused: dict[str, str] = {}

    @property
    def in_use(self) -> int | None:
        """Bytes that are not free: what processes hold and what the driver keeps."""
        if self.total is not None and self.free is not None:
            return max(0, self.total - self.free)
        return None if self.used is None else self.used + (self.reserved or 0)


class Host(msgspec.Struct, frozen=True):
    """The machine itself: memory in bytes, the load as the average over 1, 5 and 15 minutes.

    `cpu` is in percent of all its cores since the report before, in the first since it started.
    `used` is what could not be given to a process. Swap is 0 bytes where there is none.
    """

    cores: int | None = None
    cpu: float | None = None
    load: tuple[float, float, float] | None = None
    total: int | None = None
    used: int | None = None
    swap_total: int | None = None
    swap_used: int | None = None


class GpusReport(Message, frozen=True, tag="gpus"):
    """All GPUs of the machine; `trouble` is why there is none, or why NVML does not answer.

    `ancestors` are the processes above those on the GPUs, such as torchrun, as far as they hold no
    memory on a GPU themselves. A process comes after its parent. What only a GPU tells is None.
    """

    gpus: tuple[Gpu, ...] = ()
    driver_version: str | None = None
    cuda_version: str | None = None
    trouble: str | None = None
    refused: dict[str, str] = msgspec.field(default_factory=dict)
    ancestors: tuple[GpuProcess, ...] = ()
    host: Host | None = None
