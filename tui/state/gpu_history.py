"""The load and the memory of each GPU over the last hour, second by second. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from vramtop.protocol.gpus import Gpu, GpusReport

MAX_SECONDS = 3600


class GpuPast(msgspec.Struct, frozen=True):
    """What one GPU was like, in percent: its load, and its memory in use; None where unknown."""

    load: tuple[int | None, ...] = ()
    memory: tuple[float | None, ...] = ()


class GpuHistory(msgspec.Struct, frozen=True):
    """Samples of the last `MAX_SECONDS` at most, oldest first.

    `at` are their seconds on the monitor's clock. `gpus` are by the places of the GPUs. `began` is
    the time of the first sample that there ever was.
    """

    at: tuple[int, ...] = ()
    gpus: tuple[GpuPast, ...] = ()
    began: int = 0


class HeldGpus(msgspec.Struct, frozen=True):
    """A report on the GPUs, and their history up to it, that the screen goes on to show."""

    gpus: GpusReport
    history: GpuHistory


def extended(history: GpuHistory, seconds: int, gpus: Sequence[Gpu]) -> GpuHistory:
    """The history with one more sample. Without a GPU, or without a new second, it is the same."""
    before = history.at
    if not gpus or (before and seconds <= before[-1]):
        return history
    gone = next((n for n, at in enumerate(before) if seconds - at <= MAX_SECONDS), len(before))
    unknown = (None,) * len(before)
    places = max(len(history.gpus), len(gpus))
    return GpuHistory(
        (*before[gone:], seconds),
        tuple(
            _longer(
                history.gpus[place] if place < len(history.gpus) else GpuPast(unknown, unknown),
                gpus[place] if place < len(gpus) else None,
                gone,
            )
            for place in range(places)
        ),
        history.began if before else seconds,
    )


def _longer(past: GpuPast, gpu: Gpu | None, gone: int) -> GpuPast:
    load = None if gpu is None else gpu.gpu_utilization
    memory = None if gpu is None else _share(gpu)
    return GpuPast((*past.load[gone:], load), (*past.memory[gone:], memory))


def _share(gpu: Gpu) -> float | None:
    if gpu.in_use is None or not gpu.total:
        return None
    return 100 * gpu.in_use / gpu.total
