"""The device that a name means, and its description.

Nothing here except `take` makes a CUDA context.
"""

from __future__ import annotations

import platform
import re
import warnings
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import psutil
import torch
from vramtop.protocol.lesson.settings import SettingError
from vramtop.protocol.messages import Device

from .container import allowance


class Cuda(NamedTuple):
    """The number of CUDA `devices`; `missing` is the reason where CUDA does not start."""

    devices: int
    missing: str | None


@cache
def cuda() -> Cuda:
    """The state of CUDA, which starts once in a process."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        available = torch.cuda.is_available()
    if available:
        return Cuda(torch.cuda.device_count(), None)
    texts = [str(warning.message) for warning in caught]
    return Cuda(0, next((_reason(text) for text in texts if text.startswith(_STARTING)), None))


_STARTING = "CUDA initialization: "
_OLD = re.compile(r"The NVIDIA driver on your system is too old \(found version (\d+)\)")
_CODE = re.compile(r"Error (\d+): (.*)")
_UNKNOWN = "CUDA unknown error"


def _reason(warning: str) -> str:
    """The reason in PyTorch's warning that CUDA does not start, in one short line."""
    text = warning.removeprefix(_STARTING).partition("(Triggered internally")[0].strip()
    if old := _OLD.match(text):
        version = int(old[1])
        knows = f"CUDA {version // 1000}.{version % 1000 // 10}"
        return f"NVIDIA driver too old: {knows} < {torch.version.cuda}"
    if code := _CODE.search(text):
        return f"CUDA error {code[1]}: {code[2]}"
    return "CUDA error 999: unknown error" if text.startswith(_UNKNOWN) else text.splitlines()[0]


def resolve(name: str, free: Mapping[str, int]) -> torch.device:
    """The device that `name` (auto, cpu, mps, cuda, cuda:N) means on this machine.

    Of several GPUs, auto and cuda mean the one with the most `free` bytes; `free` is keyed by UUID.
    Raises `SettingError` if there is no such device.
    """
    if name == "auto":
        if cuda().devices:
            return _roomiest(free)
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda":
        count, missing = cuda()
        if count == 0:
            reason = missing or f"PyTorch {torch.__version__} sees no CUDA device here"
            raise SettingError(f"device {name}: {reason}; use --device cpu or auto")
        if device.index is None:
            return _roomiest(free)
        if device.index >= count:
            raise SettingError(f"device {name}: there are cuda:0 to cuda:{count - 1}")
        return device
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise SettingError("device mps: PyTorch sees no Apple GPU here; use --device cpu or auto")
    return device


def _roomiest(free: Mapping[str, int]) -> torch.device:
    """The CUDA device with the most free bytes; the first among equals or where none is known."""

    def known(index: int) -> int:
        uuid = torch.cuda.get_device_properties(index).uuid
        return free.get(f"GPU-{uuid}", -1)

    return torch.device("cuda", max(range(cuda().devices), key=known))


def take(device: torch.device) -> None:
    """Make this the thread's default device, so that no other GPU is touched.

    Raises `RuntimeError` where a GPU has no room for a context.
    """
    if device.type == "cuda":
        torch.cuda.set_device(device)


def describe(device: torch.device, name: str = "") -> Device:
    """The description of the device that `name` was resolved to, with its memory in bytes."""
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        uuid = f"GPU-{properties.uuid}"
        return Device(str(device), properties.name, properties.total_memory, uuid)
    if device.type == "mps":
        return Device(str(device), "Apple GPU", torch.mps.recommended_max_memory())
    missing = cuda().missing if name == "auto" else None
    total, allowed = psutil.virtual_memory().total, allowance()
    limited = allowed is not None and allowed.limit < total
    total = allowed.limit if allowed is not None and limited else total
    return Device(str(device), _processor(), total, missing=missing, container=limited)


def _processor() -> str:
    """The processor's model name; Python itself knows only the architecture."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    return platform.processor() or platform.machine()
