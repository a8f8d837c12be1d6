"""The sensors of a GPU: how busy, warm and fast it is, and what holds it back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec.structs import replace
from vramtop.protocol.gpus import Gpu

from .nvml import Answers, Lost, Refused, ask, first

# NVML's own numbers for what is asked, and for what it answers.
_GPU_SENSOR = 0
_SHUTDOWN, _SLOWDOWN = 0, 1
_SM, _MEMORY = 1, 2
_UNCORRECTED, _SINCE_DRIVER_LOAD = 1, 0
_UNKNOWN_STATE = 32
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


def condition(gpu: Gpu, answers: Answers) -> Gpu:
    """The GPU with the values of its sensors."""
    utilization = answers.get("utilization", "nvmlDeviceGetUtilizationRates")
    number = answers.number
    power = number("power", "nvmlDeviceGetPowerUsage")
    power_cap = number("power_cap", "nvmlDeviceGetEnforcedPowerLimit")
    state = answers.get("performance_state", "nvmlDeviceGetPerformanceState")
    ecc = ("ecc_errors", "nvmlDeviceGetTotalEccErrors", _UNCORRECTED, _SINCE_DRIVER_LOAD)
    return replace(
        gpu,
        gpu_utilization=None if utilization is None else utilization.gpu,
        memory_utilization=None if utilization is None else utilization.memory,
        temperature=number("temperature", "nvmlDeviceGetTemperature", _GPU_SENSOR),
        power=None if power is None else power / 1000,
        power_cap=None if power_cap is None else power_cap / 1000,
        sm_clock=number("sm_clock", "nvmlDeviceGetClockInfo", _SM),
        memory_clock=number("memory_clock", "nvmlDeviceGetClockInfo", _MEMORY),
        fan=number("fan", "nvmlDeviceGetFanSpeed"),
        performance_state=answers.known("performance_state", state, _UNKNOWN_STATE),
        encoder=_engine(answers, "encoder", "nvmlDeviceGetEncoderUtilization"),
        decoder=_engine(answers, "decoder", "nvmlDeviceGetDecoderUtilization"),
        ecc_errors=answers.known(ecc[0], answers.get(*ecc)),
        throttled=_throttled(answers),
    )


def _engine(answers: Answers, field: str, name: str) -> int | None:
    """How busy a video engine is, in percent; it is told with the period in which that was seen."""
    answer = answers.get(field, name)
    return None if answer is None else int(answer[0])


def limited(gpu: Gpu, answers: Answers, before: Gpu) -> Gpu:
    """The GPU with its temperature limits, which never change and so are asked for once."""
    if gpu.uuid is not None and gpu.uuid == before.uuid and before.slowdown_at is not None:
        return replace(gpu, slowdown_at=before.slowdown_at, shutdown_at=before.shutdown_at)
    return replace(
        gpu,
        slowdown_at=_limit(answers.device, _SLOWDOWN),
        shutdown_at=_limit(answers.device, _SHUTDOWN),
    )


def _limit(device: Any, kind: int) -> int | None:  # noqa: ANN401
    """A limit in °C; None for the many GPUs that give none."""
    try:
        limit: int = ask("nvmlDeviceGetTemperatureThreshold", device, kind)
    except Lost:
        raise
    except Refused:
        return None
    return limit


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
