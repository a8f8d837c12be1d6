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


class _Worked(msgspec.Struct, frozen=True):
    """For how long a process had worked, in seconds of a core, at a moment of a steady clock."""

    born: float
    seconds: float
    at: float


class Processes:
    """Looks up processes, from one thread, and remembers how much each had worked before.

    `look` says which of those on a GPU can be looked into; without it nothing is said of that.
    """

    def __init__(self, look: Look | None = None) -> None:
        self._look = look
        self._worked: dict[int, _Worked] = {}

    def complete(self, report: GpusReport) -> GpusReport:
        """The report with what the system says of its processes, and with their ancestors."""
        on_gpus = {process.pid for gpu in report.gpus for process in _processes(gpu)}
        found = self._found(on_gpus)
        self._worked = {pid: worked for pid, worked in self._worked.items() if pid in found}
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
        try:
            process = psutil.Process(pid)
            born = process.create_time()
        except psutil.Error:
            return None
        user, command = owner(pid, born)
        cpu = resident = parent = None
        with suppress(psutil.Error), process.oneshot():
            parent = process.ppid() or None
            cpu = self._cpu(pid, born, process.cpu_times())
            resident = process.memory_info().rss
        inside, obstacle = self._look(pid, born) if self._look and on_gpu else (None, None)
        return GpuProcess(
            pid,
            user=user,
            command=command,
            cpu=cpu,
            resident=resident,
            started=born,
            seconds=max(0, int(time.time() - born)),
            parent=parent,
            inside=inside,
            obstacle=obstacle,
        )

    def _cpu(self, pid: int, born: float, times: psutil._common.pcputimes) -> float | None:
        """The percent of a core that it has had since the last look; at the first, in its life."""
        now = _Worked(born, times.user + times.system, time.monotonic())
        before = self._worked.get(pid)
        self._worked[pid] = now
        if before is None or before.born != born:
            before = _Worked(born, 0.0, now.at - (time.time() - born))
        return share(now.seconds - before.seconds, now.at - before.at)


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
