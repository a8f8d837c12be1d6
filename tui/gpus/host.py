"""How busy the machine itself is, and its memory."""

from __future__ import annotations

from contextlib import suppress

import psutil
from vramtop.protocol.gpus import Host

from .processes import share


class HostReader:
    """Reads the machine's own figures, from one thread."""

    def __init__(self) -> None:
        self._before = (0.0, 0.0)

    def read(self) -> Host:
        """What the system says now; a figure that it refuses is None."""
        worked, seconds = _times()
        worked_before, seconds_before = self._before
        self._before = worked, seconds
        load = swap = None
        with suppress(OSError):
            load = psutil.getloadavg()
        with suppress(OSError, RuntimeError):  # a container may hide it
            swap = psutil.swap_memory()
        memory = psutil.virtual_memory()
        return Host(
            cores=psutil.cpu_count(),
            cpu=share(worked - worked_before, seconds - seconds_before),
            load=load,
            total=memory.total,
            used=memory.total - memory.available,
            swap_total=None if swap is None else swap.total,
            swap_used=None if swap is None else swap.used,
        )


def _times() -> tuple[float, float]:
    """The seconds in which its cores have worked, and in which they could have."""
    times = psutil.cpu_times()
    # What a guest system takes is within the user's time already.
    within = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    seconds = sum(times) - within
    return seconds - times.idle - getattr(times, "iowait", 0.0), seconds
