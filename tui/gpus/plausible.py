"""Which readings of NVML are impossible. Pure.

Drivers answer nonsense now and then: a utilization of 37,100 %, or more bytes than the GPU has.
"""

from __future__ import annotations

from msgspec.structs import asdict, replace
from vramtop.protocol.gpus import Gpu, GpuProcess

# The smallest and largest possible value of each field, in the units of `Gpu`. By NVML's manual a
# fan may run above 100 %. A GPU without a temperature limit answers 0 °C.
_RANGES = {
    "gpu_utilization": (0, 100),
    "memory_utilization": (0, 100),
    "encoder": (0, 100),
    "decoder": (0, 100),
    "fan": (0, 200),
    "temperature": (-50, 150),
    "slowdown_at": (1, 150),
    "shutdown_at": (1, 150),
    "power": (0, 10_000),
    "power_cap": (1, 10_000),
    "sm_clock": (0, 10_000),
    "memory_clock": (0, 20_000),
    "performance_state": (0, 15),
}
_MEMORY = ("total", "reserved", "used", "free")
_ROUNDING = 2**20  # bytes; the parts may exceed the total by so much, since drivers round them


def plausible(gpu: Gpu) -> Gpu:
    """The GPU without its impossible values; `refused` says what they were."""
    values, refused = asdict(gpu), dict(gpu.refused)
    for field, (low, high) in _RANGES.items():
        value = values[field]
        if value is not None and not low <= value <= high:
            values[field] = None
            refused[field] = f"{value:,g} cannot be"
    if impossible := _impossible_memory(gpu):
        values.update(dict.fromkeys(_MEMORY))
        refused["memory"] = impossible
    values["processes"] = _processes(gpu, values["total"], refused)
    values["instances"] = tuple(plausible(part) for part in gpu.instances)
    return Gpu(**values | {"refused": refused})


def _impossible_memory(gpu: Gpu) -> str | None:
    """Why these bytes are impossible; None if they are possible, or if there is no total."""
    if gpu.total is None:
        return None
    if gpu.total == 0:
        return "0 B in all cannot be"
    known = sum(part for part in (gpu.reserved, gpu.used, gpu.free) if part is not None)
    if known <= gpu.total + _ROUNDING:
        return None
    return f"{known:,} B used and free of {gpu.total:,} B cannot be"


def _processes(
    gpu: Gpu, total: int | None, refused: dict[str, str]
) -> tuple[GpuProcess, ...] | None:
    """The processes; what one cannot hold or use of the GPU is unknown."""
    if gpu.processes is None:
        return None
    kept = []
    for process in gpu.processes:
        used, sm, bandwidth = process.used, process.sm, process.bandwidth
        if used is not None and total is not None and used > total:
            refused[f"memory of process {process.pid}"] = f"{used:,} B cannot be"
            used = None
        if max(sm or 0, bandwidth or 0) > 100:
            refused[f"utilization of process {process.pid}"] = f"{sm} % and {bandwidth} % cannot be"
            sm = bandwidth = None
        kept.append(replace(process, used=used, sm=sm, bandwidth=bandwidth))
    return tuple(kept)
