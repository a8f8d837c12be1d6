"""Reads every GPU: which questions NVML is asked, and what its answers mean."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from msgspec.structs import replace

from .cards import Card, CardsReport, GpuProcess, keep_places, lost
from .nvml import Absent, Answers, Down, Refused, ask, first, running
from .owners import owner, printable

NO_GPU = "the NVIDIA driver finds no GPU"

# NVML's own numbers for what is asked, and for what it answers.
_MEMORY_V2 = 0x02000028
_GPU_SENSOR = 0
_SM, _MEMORY = 1, 2
_UNCORRECTED, _SINCE_DRIVER_LOAD = 1, 0
_UNKNOWN_STATE = 32
_COMPUTING = "nvmlDeviceGetComputeRunningProcesses"
_ALSO_RUNNING = {
    "graphics_processes": "nvmlDeviceGetGraphicsRunningProcesses",
    "mps_processes": "nvmlDeviceGetMPSComputeRunningProcesses",
}
_IDLE = 0x1
_THROTTLES = {
    0x2: "clocks set by an application",
    0x4: "software power cap",
    0x8: "hardware slowdown",
    0x10: "sync boost",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "hardware power brake",
    0x100: "display clocks",
}


class Reader:
    """Reads all GPUs, from one thread; remembers which there were."""

    def __init__(self) -> None:
        self._open = False
        self._cards: tuple[Card, ...] = ()

    def read(self) -> CardsReport:
        """What NVML says now; initializes it first where it is closed."""
        try:
            if not self._open:
                ask("nvmlInit")
                self._open = True
            report = self._report()
        except Down as down:
            report = self._no_report(str(down))
        except Refused as refusal:
            report = self._no_report(f"NVML does not answer: {refusal}")
        self._cards = report.cards
        return report

    def close(self) -> None:
        """Let NVML go, so that the next `read` initializes it anew."""
        if self._open:
            self._open = False
            with suppress(Down, Refused):  # it may be gone already
                ask("nvmlShutdown")

    def _report(self) -> CardsReport:
        cards = [_card(index) for index in range(ask("nvmlDeviceGetCount"))]
        system = Answers()
        return CardsReport(
            keep_places(self._cards, cards),
            driver_version=system.get("driver_version", "nvmlSystemGetDriverVersion"),
            cuda_version=system.take("cuda_version", _cuda_version),
            trouble=None if cards else NO_GPU,
            refused=system.refused,
        )

    def _no_report(self, trouble: str) -> CardsReport:
        self.close()
        return CardsReport(tuple(lost(card, trouble) for card in self._cards), trouble=trouble)


def _cuda_version() -> str:
    number = first(
        partial(ask, "nvmlSystemGetCudaDriverVersion_v2"),
        partial(ask, "nvmlSystemGetCudaDriverVersion"),
    )
    return f"{number // 1000}.{number % 1000 // 10}"


def _card(index: int) -> Card:
    card = Card(index)
    try:
        answers = Answers(ask("nvmlDeviceGetHandleByIndex", index))
        card = _identity(card, answers)
        whole = _divided(_condition(_holdings(card, answers), answers), answers)
    except Refused as refusal:
        return replace(card, trouble=str(refusal))
    return replace(whole, refused=answers.refused)


def _identity(card: Card, answers: Answers) -> Card:
    name = answers.get("name", "nvmlDeviceGetName")
    return replace(
        card,
        uuid=answers.get("uuid", "nvmlDeviceGetUUID"),
        name=None if name is None else printable(name),
    )


def _holdings(card: Card, answers: Answers) -> Card:
    """The card with its memory and who holds it, close together in time."""
    reserved = None
    memory = answers.get("reserved", "nvmlDeviceGetMemoryInfo", _MEMORY_V2)
    if memory is not None:
        reserved = answers.known("reserved", memory.reserved)
    else:
        memory = answers.get("memory", "nvmlDeviceGetMemoryInfo")
    if memory is not None:
        card = replace(
            card,
            total=answers.known("total", memory.total),
            reserved=reserved,
            used=answers.known("used", memory.used),
            free=answers.known("free", memory.free),
        )
    return replace(card, processes=_processes(answers))


def _processes(answers: Answers) -> tuple[GpuProcess, ...] | None:
    """All that compute, draw or do so through MPS; None where not even the first are told."""
    used = answers.take("processes", partial(running, _COMPUTING, answers.device))
    if used is None:
        return None
    for field, name in _ALSO_RUNNING.items():
        others = answers.take(field, partial(running, name, answers.device))
        for pid, more in (others or {}).items():
            # Each list tells all that a process holds, so the same bytes may be in two.
            before = used.get(pid)
            used[pid] = more if before is None else max(before, more or 0)
    return tuple(GpuProcess(pid, held, *owner(pid)) for pid, held in used.items())


def _condition(card: Card, answers: Answers) -> Card:
    """The card with all that its sensors tell."""
    utilization = answers.get("utilization", "nvmlDeviceGetUtilizationRates")
    number = answers.number
    power = number("power", "nvmlDeviceGetPowerUsage")
    power_cap = number("power_cap", "nvmlDeviceGetEnforcedPowerLimit")
    state = answers.get("performance_state", "nvmlDeviceGetPerformanceState")
    ecc = ("ecc_errors", "nvmlDeviceGetTotalEccErrors", _UNCORRECTED, _SINCE_DRIVER_LOAD)
    return replace(
        card,
        gpu_utilization=None if utilization is None else utilization.gpu,
        memory_utilization=None if utilization is None else utilization.memory,
        temperature=number("temperature", "nvmlDeviceGetTemperature", _GPU_SENSOR),
        power=None if power is None else power / 1000,
        power_cap=None if power_cap is None else power_cap / 1000,
        sm_clock=number("sm_clock", "nvmlDeviceGetClockInfo", _SM),
        memory_clock=number("memory_clock", "nvmlDeviceGetClockInfo", _MEMORY),
        fan=number("fan", "nvmlDeviceGetFanSpeed"),
        performance_state=answers.known("performance_state", state, _UNKNOWN_STATE),
        ecc_errors=answers.known(ecc[0], answers.get(*ecc)),
        throttled=_throttled(answers),
    )


def _throttled(answers: Answers) -> tuple[str, ...] | None:
    bits = answers.take("throttled", _clock_reasons(answers.device))
    if bits is None:
        return None
    names = [name for bit, name in _THROTTLES.items() if bits & bit]
    unnamed = bits & ~(_IDLE | sum(_THROTTLES))
    return (*names, f"reason {unnamed:#x}") if unnamed else tuple(names)


def _clock_reasons(device: Any) -> Callable[[], int]:  # noqa: ANN401
    return partial(
        first,
        partial(ask, "nvmlDeviceGetCurrentClocksEventReasons", device),
        partial(ask, "nvmlDeviceGetCurrentClocksThrottleReasons", device),
    )


def _divided(card: Card, answers: Answers) -> Card:
    """The card with the instances that MIG splits it into."""
    mode = answers.get("mig", "nvmlDeviceGetMigMode")
    if mode is None or not mode[0]:
        return replace(card, mig=None if mode is None else False)
    slots = range(answers.get("instances", "nvmlDeviceGetMaxMigDeviceCount") or 0)
    parts = [answers.take("instances", partial(_instance, answers.device, slot)) for slot in slots]
    return replace(card, mig=True, instances=tuple(part for part in parts if part is not None))


def _instance(device: Any, slot: int) -> Card | None:  # noqa: ANN401
    try:
        answers = Answers(ask("nvmlDeviceGetMigDeviceHandleByIndex", device, slot))
    except Absent:
        return None  # a slot that no instance is in
    card = _holdings(_identity(Card(slot), answers), answers)
    return replace(card, refused=answers.refused)
