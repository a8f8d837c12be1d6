"""Why the driver's figure is larger than what the tensors take: one sum, in bytes."""

from __future__ import annotations

from typing import Literal

import msgspec

Term = Literal[
    "others", "context", "libraries", "workspace", "step", "rounding", "cache"
]  # in the order of the sum


class DriverSum(msgspec.Struct, frozen=True, kw_only=True):
    """The driver's figure and the `terms` that it is the sum of.

    `by` says whose figure it is. Under "process" it is what NVML says that the process holds. Where
    NVML does not tell, as in most containers, it is "device": all that CUDA says is in use on the
    GPU.

    The allocator's own figures, as they were when a watched step had ended, give `step` (what its
    tensors have, in all categories), cuBLAS's `workspace`, what is added by `rounding`, and the
    `cache`. What remains of the figure lies outside the allocator. Of a process that is `context`,
    as little as ever was there since the observer came, and `libraries`, what has come since. Of a
    device it is `others`: other processes, the driver, the context and libraries, which nobody
    tells apart.

    Beside all that, `pinned` bytes of the host's memory are held for CUDA; None where PyTorch does
    not tell.
    """

    by: Literal["process", "device"]
    bytes: int
    terms: dict[Term, int]
    pinned: int | None = None
