"""What the operating system says of the processes on the GPUs, and of those above them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TypeAlias

import msgspec
import psutil
from msgspec.structs import replace
from vramtop.protocol.gpus import Gpu, GpuProcess, GpusReport, Inside

from .owners import owner

# Whether a process can be looked into, and why not; it is given as its pid and its start time.
Look: TypeAlias = Callable[[int, float], tuple[Inside, str | None]]


class _Known(msgspec.Struct):
    """What is known of a process that started at `born`.

    It had worked for so many `seconds` of a core `at` a moment of a steady clock.
    """

    born: float
    seconds: float
    at: float
    user: str | None = None
    command: str | None = None


class Processes:
    """Looks up processes, from one thread, and remembers how much each had worked before.

    The user and the command line are asked for until they are known.

    `look` says which of those on a GPU can be looked into; without it nothing is said of that.
    """

    def __init__(self, look: Look | None = None) -> None:
        self._look = look
        self._known: dict[int, _Known] = {}

    def complete(self, report: GpusReport) -> GpusReport:
        """The report with what the system says of its processes, and with their ancestors."""
        on_gpus = {process.pid for gpu in report.gpus for process in _processes(gpu)}
        found = self._found(on_gpus)
        self._known = {pid: known for pid, known in self._known.items() if pid in found}
        ancestors = tuple(process for pid, process in found.items() if pid not in on_gpus)
        gpus = tuple(_described(gpu, found) for gpu in report.gpus)
        return replace(report, gpus=gpus, ancestors=ancestors)

    def _found(self, on_gpus: Iterable[int]) -> dict[int, GpuProcess]:
        """These processes and all above them, each after its parent, as far as there are any."""
        found = dict[int, GpuProcess]()
        for pid in on_gpus:
            line, at = list[GpuProcess](), pid
            while at and at not in found and all(at != each.pid for each in line):
                process = self._process(at, on_gpu=at in on_gpus)
                if process is None:
                    break
                line.append(process)
                at = process.parent or 0
            found.update((process.pid, process) for process in reversed(line))
        return found

    def _process(self, pid: int, *, on_gpu: bool) -> GpuProcess | None:
        cpu = resident = parent = None
        try:
            process = psutil.Process(pid)
            born = process.create_time()
        except psutil.Error:
            return None
        known = self._known.get(pid)
        if known is None or known.born != born:
            known = self._known[pid] = _Known(born, 0.0, time.monotonic() - (time.time() - born))
        with suppress(psutil.Error), process.oneshot():
            parent = process.ppid() or None
            cpu = _cpu(process, known)
            resident = process.memory_info().rss
            if known.command is None:
                known.user, known.command = owner(process)
        inside, obstacle = self._look(pid, born) if self._look and on_gpu else (None, None)
        return GpuProcess(
            pid,
            user=known.user,
            command=known.command,
            cpu=cpu,
            resident=resident,
            started=born,
            seconds=max(0, int(time.time() - born)),
            parent=parent,
            inside=inside,
            obstacle=obstacle,
        )


def _cpu(process: psutil.Process, known: _Known) -> float | None:
    """The percent of a core that it has had since the last look; at the first, since it started."""
    times, now = process.cpu_times(), time.monotonic()
    seconds = times.user + times.system
    percent = share(seconds - known.seconds, now - known.at)
    known.seconds, known.at = seconds, now
    return percent


def share(worked: float, seconds: float) -> float | None:
    """The percent of these seconds in which somebody worked; None where there were none."""
    return max(0.0, 100 * worked / seconds) if seconds > 0 else None


def _processes(gpu: Gpu) -> list[GpuProcess]:
    """The processes of a GPU and of its instances."""
    parts = [process for part in gpu.instances for process in part.processes or ()]
    return [*(gpu.processes or ()), *parts]


def _described(gpu: Gpu, found: dict[int, GpuProcess]) -> Gpu:
    """The GPU with what was found of its processes, and of those of its instances."""
    if not _processes(gpu):
        return gpu
    processes = gpu.processes and tuple(_with(each, found.get(each.pid)) for each in gpu.processes)
    instances = tuple(_described(part, found) for part in gpu.instances)
    return replace(gpu, processes=processes, instances=instances)


def _with(on_gpu: GpuProcess, found: GpuProcess | None) -> GpuProcess:
    """What NVML says of a process, and what the system does."""
    if found is None:
        return on_gpu
    told = {name: getattr(on_gpu, name) for name in ("used", "type", "sm", "bandwidth")}
    return replace(found, **told)
