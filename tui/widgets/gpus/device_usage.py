"""How much of the device's memory is used and by whom, with what NVML says of the GPU."""

from __future__ import annotations

from itertools import takewhile

import msgspec
from vramtop.protocol.gpus import Gpu
from vramtop.protocol.split import AllocatorMemory
from vramtop.tui.gpus.condition import Sign, hot, signs
from vramtop.tui.gpus.holders import HolderBytes, of_allocator, of_gpu
from vramtop.tui.gpus.whereabouts import NOT_LISTED, UNKNOWN_INSTANCE, accounts
from vramtop.tui.state.state import State
from vramtop.tui.words import units


class Usage(msgspec.Struct, frozen=True):
    """How much is used of the device's memory, of a budget, or of the machine's memory.

    - `used` and `whole` are bytes, None where they are not known.
    - `what` and `whole_name` are their names.
    - `parts` are the holders of the memory, where they are known; they add up to the whole.
    - `facts` are the GPU's readings, the most important first; `trouble` is why there are none.
    - `signs` are what is wrong with the GPU.
    - `missing` is why no GPU is used although there may be one.
    """

    name: str
    what: str
    used: int | None
    whole_name: str
    whole: int | None
    parts: tuple[HolderBytes, ...] = ()
    facts: tuple[str, ...] = ()
    signs: tuple[Sign, ...] = ()
    trouble: str = ""
    missing: str = ""

    @property
    def start(self) -> int:
        """The bytes before those of the training step, in the order of the bar."""
        before = takewhile(lambda part: part.holder != "step", self.parts)
        return sum(part.bytes for part in before)


def usage(state: State) -> Usage | None:
    """The usage by this state; None until the device is known."""
    device, measured = state.device, state.measured
    if device is None:
        return None
    allocator = measured.allocator if measured else None
    gpu = state.gpu
    budget = state.lesson.settings.budget if state.lesson else None
    if device.total_bytes is not None and (device.uuid is not None or allocator is not None):
        account = accounts(state.where, state.device_memory)
        parts = of_gpu(account.gpu, state.pid, allocator) if account else None
        if parts is None:
            parts = of_allocator(device.total_bytes, allocator) if allocator else ()
        whole = sum(part.bytes for part in parts) or device.total_bytes
        free = sum(part.bytes for part in parts if part.holder in ("free", "others or free"))
        whole_name = "device memory" if budget is None else f"(budget {units.size(budget)})"
        what = "in use, says CUDA" if account and account.by_cuda else "in use"
        strains = strain(allocator) if allocator or not measured else ["allocator N/A"]
        return Usage(
            device.description, what, whole - free if parts else None, whole_name, whole,
            parts, (*facts(gpu), *strains), signs(gpu) if gpu else (), trouble(state),
        )  # fmt: skip
    missing = device.missing or ""
    if budget is not None:
        peak = measured.anatomy.peak.bytes if measured else None
        return Usage(device.description, "peak", peak, "budget", budget, missing=missing)
    whole_name = "machine memory" if device.name == "cpu" else "device memory"
    whole_name = "container limit" if device.container else whole_name
    what = "program" if state.watched else "worker"
    return Usage(
        device.description, what, state.resident, whole_name, device.total_bytes, missing=missing
    )


def facts(gpu: Gpu | None) -> list[str]:
    """Load, temperature, power and clock, each `N/A` where NVML does not give it.

    A temperature that is too high is left out: it is one of the signs.
    """
    if gpu is None or gpu.trouble is not None:
        return []
    watts = units.number(gpu.power)
    if gpu.power_cap is not None:
        watts += f"/{gpu.power_cap:.0f}"
    return [
        f"{units.number(gpu.gpu_utilization)}%",
        *([] if hot(gpu) else [f"{units.number(gpu.temperature)}°C"]),
        f"{watts} W",
        f"{units.number(gpu.sm_clock)} MHz",
    ]


def strain(allocator: AllocatorMemory | None) -> list[str]:
    """The allocator's difficulties: memory in fragments, allocations tried again or in vain."""
    if allocator is None:
        return []
    parts = [f"{units.short(allocator.inactive)} in fragments"] if allocator.inactive else []
    parts += [f"{allocator.retries} retries"] if allocator.retries else []
    return parts + ([f"{allocator.shortages} × out of memory"] if allocator.shortages else [])


def trouble(state: State) -> str:
    """Why an NVIDIA GPU's own figures are missing."""
    if state.device is None or state.device.uuid is None:
        return ""
    if (where := state.where) is not None:
        known = where.gpu.trouble or (where.holding and where.holding.trouble)
        return known or ("" if where.holding else UNKNOWN_INSTANCE)
    return (state.gpus.trouble or NOT_LISTED) if state.gpus else ""
