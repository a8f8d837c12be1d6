"""How much memory is free on each GPU: asked once, before a worker chooses a GPU."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

from .nvml import Down, Refused, ask

PATIENCE_SECONDS = 2.0


async def free_bytes() -> dict[str, int]:
    """The bytes free on each GPU, by UUID, as far as NVML gives them.

    Empty if NVML cannot be asked, or does not answer within `PATIENCE_SECONDS`.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[dict[str, int]] = loop.create_future()

    def hand_over(found: dict[str, int]) -> None:
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


def _look() -> dict[str, int]:
    free: dict[str, int] = {}
    with suppress(Down, Refused):
        ask("nvmlInit")
        for index in range(ask("nvmlDeviceGetCount")):
            with suppress(Refused):  # other GPUs may answer
                device = ask("nvmlDeviceGetHandleByIndex", index)
                free[ask("nvmlDeviceGetUUID", device)] = ask("nvmlDeviceGetMemoryInfo", device).free
        ask("nvmlShutdown")
    return free
