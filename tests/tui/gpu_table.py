"""GPUs as NVML reports them, a training on one of them, and how their table reads."""

from __future__ import annotations

from typing import Any

from made import begun_on
from msgspec.structs import replace
from vramtop.protocol.gpus import Gpu, GpuProcess, GpusReport
from vramtop.protocol.messages import Device

GIB = 2**30
DEVICE = Device("cuda:0", "X100 80GB", 80 * GIB, "GPU-0")
# A training on the first of the GPUs.
TRAINING = begun_on(DEVICE)


def make_gpu(index: int, *processes: GpuProcess, **values: Any) -> Gpu:
    used = sum(process.used or 0 for process in processes)
    usual = Gpu(
        index=index,
        uuid=f"GPU-{index}",
        name="NVIDIA X100 80GB",
        total=80 * GIB,
        reserved=GIB,
        used=used,
        free=79 * GIB - used,
        gpu_utilization=37,
        temperature=54,
        power=217.0,
        power_cap=700.0,
        sm_clock=1755,
        memory_clock=2619,
        fan=31,
        performance_state=2,
        ecc_errors=0,
        throttled=(),
        processes=processes,
    )
    return replace(usual, **values)


def report(*gpus: Gpu, **values: Any) -> GpusReport:
    return GpusReport(gpus, "580.65.06", "13.0", **values)


def line_of(text: str, start: str) -> str:
    """The line of the GPU table that begins with this, without its marks."""
    lines = [line for line in text.splitlines() if line[3:].lstrip().startswith(start)]
    assert lines, f"no {start!r} in\n{text}"
    return lines[0]


def marked(line: str) -> bool:
    return "▸" in line[:4]


def chosen(text: str) -> list[str]:
    """The index of each GPU that the cursor stands at."""
    return [line.split()[1] for line in text.replace("▸", " ").splitlines() if "›" in line[:3]]
