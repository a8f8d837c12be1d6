"""NVML asked once: how much memory is free on each GPU, and which processes hold some."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from vramtop.protocol.gpus import GpuProcess

from .nvml import Down, Refused, ask
from .readings import Reader

PATIENCE_SECONDS = 2.0
Answer = TypeVar("Answer")


async def free_bytes() -> dict[str, int]:
    """The bytes free on each GPU, by UUID, as far as NVML gives them.

    Empty if NVML cannot be asked, or does not answer within `PATIENCE_SECONDS`.
    """
    return await _asked(_free, {})


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


def _free() -> dict[str, int]:
    free: dict[str, int] = {}
    with suppress(Down, Refused):
        ask("nvmlInit")
        for index in range(ask("nvmlDeviceGetCount")):
            with suppress(Refused):  # other GPUs may answer
                device = ask("nvmlDeviceGetHandleByIndex", index)
                free[ask("nvmlDeviceGetUUID", device)] = ask("nvmlDeviceGetMemoryInfo", device).free
        ask("nvmlShutdown")
    return free


def _processes(uuid: str) -> tuple[GpuProcess, ...] | None:
    reader = Reader()
    try:
        gpus = [part for gpu in reader.read().gpus for part in (gpu, *gpu.instances)]
    finally:
        reader.close()
    return next((gpu.processes for gpu in gpus if gpu.uuid == uuid), None)
