"""NVML asked once: how much memory is free on each GPU, and which processes hold the rest."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, TypeVar

from vramtop.protocol.gpus import GpuProcess

from .nvml import Down, Refused, ask, running
from .readings import Reader

PATIENCE_SECONDS = 2.0
_COMPUTING = "nvmlDeviceGetComputeRunningProcesses"
Answer = TypeVar("Answer")


class Holdings(NamedTuple):
    """The bytes that are free on a GPU, and those that each process holds that computes there.

    None stands for bytes that NVML does not tell.
    """

    free: int
    held: dict[int, int | None]


async def holdings() -> dict[str, Holdings]:
    """The holdings on each GPU, by UUID, as far as NVML gives them.

    Empty if NVML cannot be asked, or does not answer within `PATIENCE_SECONDS`.
    """
    return await _asked(_look, {})


async def free_bytes() -> dict[str, int]:
    """The bytes free on each GPU, by UUID, as far as NVML gives them in time."""
    return {uuid: each.free for uuid, each in (await holdings()).items()}


async def processes_on(uuid: str) -> tuple[GpuProcess, ...] | None:
    """The processes that hold memory on the GPU of this UUID; None where NVML does not tell."""
    return await _asked(lambda: _processes(uuid), None)


async def _asked(look: Callable[[], Answer], nothing: Answer) -> Answer:
    """What `look` returns, or nothing after `PATIENCE_SECONDS`."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Answer] = loop.create_future()

    def hand_over(found: Answer) -> None:
        if not answer.done():
            answer.set_result(found)

    def run() -> None:
        found = look()
        with suppress(RuntimeError):  # the event loop has ended
            loop.call_soon_threadsafe(hand_over, found)

    # A daemon thread, so that the program can end while a call hangs in the driver.
    threading.Thread(target=run, name="vacancy", daemon=True).start()
    try:
        return await asyncio.wait_for(answer, PATIENCE_SECONDS)
    except asyncio.TimeoutError:
        return nothing


def _look() -> dict[str, Holdings]:
    found: dict[str, Holdings] = {}
    with suppress(Down, Refused):
        ask("nvmlInit")
        for index in range(ask("nvmlDeviceGetCount")):
            with suppress(Refused):  # other GPUs may answer
                device = ask("nvmlDeviceGetHandleByIndex", index)
                free = ask("nvmlDeviceGetMemoryInfo", device).free
                held: dict[int, int | None] = {}
                with suppress(Refused):
                    held = running(_COMPUTING, device)
                found[ask("nvmlDeviceGetUUID", device)] = Holdings(free, held)
        ask("nvmlShutdown")
    return found


def _processes(uuid: str) -> tuple[GpuProcess, ...] | None:
    reader = Reader()
    try:
        gpus = [part for gpu in reader.read().gpus for part in (gpu, *gpu.instances)]
    finally:
        reader.close()
    return next((gpu.processes for gpu in gpus if gpu.uuid == uuid), None)
