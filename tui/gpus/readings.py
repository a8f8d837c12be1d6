"""Reads every GPU: which questions NVML is asked, and what its answers mean."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from msgspec.structs import replace
from vramtop.protocol.gpus import Gpu, GpuProcess, GpusReport, ProcessType

from .conclusions import UNLISTED, keep_places, lost
from .host import HostReader
from .nvml import (
    Absent,
    Answers,
    Down,
    Lost,
    Missing,
    Refused,
    Unsupported,
    ask,
    first,
    running,
    sampled,
)
from .owners import printable
from .plausible import plausible
from .processes import Look, Processes
from .sensors import condition, limited

NO_GPU = "the NVIDIA driver finds no GPU"

# NVML's own numbers for what is asked, and for what it answers.
_MEMORY_V2 = 0x02000028
_MOST_INSTANCES = 7
_COMPUTING = "nvmlDeviceGetComputeRunningProcesses"
_DRAWING = "nvmlDeviceGetGraphicsRunningProcesses"
_ALSO_RUNNING = {
    "graphics_processes": _DRAWING,
    "mps_processes": "nvmlDeviceGetMPSComputeRunningProcesses",
}
# A sample of what a process uses of a GPU is at most a second old where it is at work.
_SAMPLED_SECONDS = 2


class Reader:
    """Reads all GPUs, from one thread; remembers which GPUs there were.

    `look` says which of their processes can be looked into.
    """

    def __init__(self, look: Look | None = None) -> None:
        self._processes = Processes(look)
        self._host = HostReader()
        self._open = False
        self._gpus: tuple[Gpu, ...] = ()

    def read(self) -> GpusReport:
        """What NVML says now; initializes NVML first if it is closed."""
        try:
            if not self._open:
                ask("nvmlInit")
                self._open = True
            report = self._processes.complete(self._report())
            report = replace(report, host=self._host.read())
        except Down as down:
            report = self._no_report(str(down))
        except Refused as refusal:
            report = self._no_report(f"NVML does not answer: {refusal}")
        self._gpus = report.gpus
        return report

    def close(self) -> None:
        """Shut NVML down, so that the next `read` initializes it anew."""
        if self._open:
            self._open = False
            with suppress(Down, Refused):  # it may be gone already
                ask("nvmlShutdown")

    def _report(self) -> GpusReport:
        before = {gpu.index: gpu for gpu in self._gpus if gpu.trouble != UNLISTED}
        count = range(ask("nvmlDeviceGetCount"))
        gpus = [_gpu(index, before.get(index, Gpu(index))) for index in count]
        system = Answers()
        return GpusReport(
            keep_places(self._gpus, gpus),
            driver_version=system.get("driver_version", "nvmlSystemGetDriverVersion"),
            cuda_version=system.take("cuda_version", _cuda_version),
            trouble=None if gpus else NO_GPU,
            refused=system.refused,
        )

    def _no_report(self, trouble: str) -> GpusReport:
        self.close()
        return GpusReport(tuple(lost(gpu, trouble) for gpu in self._gpus), trouble=trouble)


def _cuda_version() -> str:
    number = first(
        partial(ask, "nvmlSystemGetCudaDriverVersion_v2"),
        partial(ask, "nvmlSystemGetCudaDriverVersion"),
    )
    return f"{number // 1000}.{number % 1000 // 10}"


def _gpu(index: int, before: Gpu) -> Gpu:
    """The GPU of that index with all its values; `before` is what was known of it."""
    gpu, answers = Gpu(index), Answers()
    try:
        answers = Answers(ask("nvmlDeviceGetHandleByIndex", index))
        gpu = replace(_identity(gpu, answers), bus=_bus(answers))
        held = _sampled(_holdings(gpu, answers), answers)
        gpu = limited(condition(held, answers), answers, before)
    except Refused as refusal:
        gpu = replace(gpu, trouble=str(refusal))
    gpu = _divided(gpu, answers, before.instances)
    return plausible(gpu if gpu.trouble else replace(gpu, refused=answers.refused))


def _identity(gpu: Gpu, answers: Answers) -> Gpu:
    name = answers.get("name", "nvmlDeviceGetName")
    return replace(
        gpu,
        uuid=answers.get("uuid", "nvmlDeviceGetUUID"),
        name=None if name is None else printable(name),
    )


def _bus(answers: Answers) -> str | None:
    pci = answers.get("bus", "nvmlDeviceGetPciInfo")
    return None if pci is None else printable(pci.busId)


def _holdings(gpu: Gpu, answers: Answers) -> Gpu:
    """The GPU with its memory and its processes, asked for right after each other."""
    reserved = None
    memory = answers.get("reserved", "nvmlDeviceGetMemoryInfo", _MEMORY_V2)
    if memory is not None:
        reserved = answers.known("reserved", memory.reserved)
    else:
        memory = answers.get("memory", "nvmlDeviceGetMemoryInfo")
    if memory is not None:
        gpu = replace(
            gpu,
            total=answers.known("total", memory.total),
            reserved=reserved,
            used=answers.known("used", memory.used),
            free=answers.known("free", memory.free),
        )
    return replace(gpu, processes=_processes(answers))


def _processes(answers: Answers) -> tuple[GpuProcess, ...] | None:
    """The processes that compute, draw or use MPS; None if those that compute are not known."""
    used = answers.take("processes", partial(running, _COMPUTING, answers.device))
    if used is None:
        return None
    types: dict[int, ProcessType] = dict.fromkeys(used, "C")
    for field, name in _ALSO_RUNNING.items():
        others = answers.take(field, partial(running, name, answers.device))
        for pid, more in (others or {}).items():
            # Each list has all bytes of a process, so two lists can count the same bytes.
            before = used.get(pid)
            used[pid] = more if before is None else max(before, more or 0)
            if name == _DRAWING:
                types[pid] = "C+G" if pid in types else "G"
            else:
                types.setdefault(pid, "C")
    return tuple(GpuProcess(pid, held, type=types[pid]) for pid, held in used.items())


def _sampled(gpu: Gpu, answers: Answers) -> Gpu:
    """The GPU with what each of its processes uses of it.

    NVML has no sample of a process that has not worked lately, and none at all for instances.
    """
    if not gpu.processes:
        return gpu
    since = time.time_ns() // 1000 - _SAMPLED_SECONDS * 1_000_000
    shares = answers.take("process_utilization", partial(sampled, answers.device, since))
    if shares is None:
        return gpu
    processes = []
    for process in gpu.processes:
        sm, bandwidth = shares.get(process.pid, (0, 0))
        processes.append(replace(process, sm=sm, bandwidth=bandwidth))
    return replace(gpu, processes=tuple(processes))


def _divided(gpu: Gpu, answers: Answers, known: Sequence[Gpu]) -> Gpu:
    """The GPU with the instances that MIG splits it into.

    A GPU with an error may not list its instances. Those `known` from before that are not listed
    now are asked for by their UUIDs.
    """
    split, slots = (None, 0) if answers.device is None else _slots(answers)
    parts = [_in_slot(answers, slot) for slot in range(slots)]
    found = [part for part in parts if part is not None]
    if gpu.trouble is not None or not answers.refused.keys().isdisjoint(("mig", "instances")):
        listed = {part.uuid for part in found}
        again = [_by_uuid(part) for part in known if part.uuid not in listed]
        found += [part for part in again if part is not None]
    return replace(gpu, mig=True if found else split, instances=tuple(found))


def _slots(answers: Answers) -> tuple[bool | None, int]:
    """Whether the GPU is split, None if unknown, and the largest number of its instances."""
    split = None
    try:
        split = bool(ask("nvmlDeviceGetMigMode", answers.device)[0])
    except (Unsupported, Missing) as refusal:
        answers.refused["mig"] = str(refusal)
        return None, 0
    except Refused as refusal:
        answers.refused["mig"] = str(refusal)
    if split is False:
        return False, 0
    try:
        return split, ask("nvmlDeviceGetMaxMigDeviceCount", answers.device)
    except Refused as refusal:
        answers.refused["instances"] = str(refusal)
        return split, 0 if isinstance(refusal, Lost) else _MOST_INSTANCES


def _in_slot(answers: Answers, slot: int) -> Gpu | None:
    try:
        handle = ask("nvmlDeviceGetMigDeviceHandleByIndex", answers.device, slot)
    except Absent:
        return None  # the slot is empty
    except Refused as refusal:
        answers.refused["instances"] = str(refusal)
        return None
    return _instance(slot, handle)


def _by_uuid(known: Gpu) -> Gpu | None:
    """The same instance as it is now; None if it does not answer."""
    try:
        part = _instance(known.index, ask("nvmlDeviceGetHandleByUUID", known.uuid))
    except Refused:
        return None
    return None if part.trouble else part


def _instance(slot: int, handle: Any) -> Gpu:  # noqa: ANN401
    answers, part = Answers(handle), Gpu(slot)
    try:
        part = _identity(part, answers)
        part = _holdings(part, answers)
    except Refused as refusal:
        return replace(part, trouble=str(refusal))
    return replace(part, refused=answers.refused)
