"""The driver's figure as a sum: NVML's for a process, and CUDA's for a GPU."""

from __future__ import annotations

from vramtop.protocol.observed.driver import DriverSum

MIB = 2**20
PROCESS = DriverSum(
    by="process",
    bytes=722 * MIB,
    terms={
        "context": 510 * MIB, "libraries": 12 * MIB, "workspace": 64 * MIB, "step": 99 * MIB,
        "rounding": 7 * MIB, "cache": 30 * MIB,
    },
    pinned=3 * MIB,
)  # fmt: skip
DEVICE = DriverSum(
    by="device",
    bytes=801 * MIB,
    terms={
        "others": 601 * MIB, "workspace": 64 * MIB, "step": 99 * MIB, "rounding": 7 * MIB,
        "cache": 30 * MIB,
    },
)  # fmt: skip
