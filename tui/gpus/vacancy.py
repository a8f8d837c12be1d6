"""How much memory is free on each GPU and who holds the rest: asked once, not again and again."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import NamedTuple

from .nvml import Down, Refused, ask, running

PATIENCE_SECONDS = 2.0
_COMPUTING = "nvmlDeviceGetComputeRunningProcesses"


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
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[dict[str, Holdings]] = loop.create_future()

    def hand_over(found: dict[str, Holdings]) -> None:
        if not answer.done():
            answer.set_result(found)

    def look() -> None:
        found = _look()
        with suppress(RuntimeError):  # the event loop has ended
            loop.call_soon_threadsafe(hand_over, found)

    # A daemon thread, so that the program can end while a call hangs in the driver.
    threading.Thread(target=look, name="vacancy", daemon=True).start()
    try:
        return await asyncio.wait_for(answer, PATIENCE_SECONDS)
    except asyncio.TimeoutError:
        return {}


async def free_bytes() -> dict[str, int]:
    """The bytes free on each GPU, by UUID, as far as NVML gives them in time."""
    return {uuid: each.free for uuid, each in (await holdings()).items()}


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
