"""What CUDA's caching allocator had to deny: the error alone tells it in rounded words."""

from __future__ import annotations

from collections import deque
from functools import cache
from typing import NamedTuple

import torch


class Denial(NamedTuple):
    """A request that failed, in bytes.

    `wanted` is what the allocator asked the driver for, a whole segment; `free` what it could have
    had, by the device and by the limit that it is held to; `reserved` what it kept meanwhile.
    """

    wanted: int
    free: int
    reserved: int


_latest: deque[Denial] = deque(maxlen=1)


@cache
def watch() -> None:
    """Note what is denied from now on, in this process."""
    torch._C._cuda_attach_out_of_memory_observer(_note)  # type: ignore[attr-defined]


def take() -> Denial | None:
    """The latest one that was not taken yet."""
    return _latest.pop() if _latest else None


def pending() -> bool:
    """Whether there is one that was not taken yet."""
    return bool(_latest)


def _note(device: int, wanted: int, allowed: int, free: int) -> None:
    reserved = torch.cuda.memory_reserved(device)
    _latest.append(Denial(wanted, max(0, min(free, allowed - reserved)), reserved))
