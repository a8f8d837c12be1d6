"""Requests that CUDA's caching allocator denied, in bytes. PyTorch's error rounds them."""

from __future__ import annotations

from collections import deque
from functools import cache
from typing import NamedTuple

import torch

from .private_cuda import call_when_out_of_memory


class Denial(NamedTuple):
    """A request that failed, in bytes.

    `wanted` is the segment that the allocator asked the driver for. `free` is what it could have
    had, by the device's free memory and by the process's limit. `reserved` is what it had from the
    driver at that moment.
    """

    wanted: int
    free: int
    reserved: int


_latest: deque[Denial] = deque(maxlen=1)


@cache
def watch() -> None:
    """Note each denied request from now on, in this process."""
    call_when_out_of_memory(_note)


def take() -> Denial | None:
    """The latest denial, unless it was taken already."""
    return _latest.pop() if _latest else None


def pending() -> bool:
    """Whether there is a denial that was not taken yet."""
    return bool(_latest)


def _note(device: int, wanted: int, allowed: int, free: int) -> None:
    reserved = torch.cuda.memory_reserved(device)
    _latest.append(Denial(wanted, max(0, min(free, allowed - reserved)), reserved))
