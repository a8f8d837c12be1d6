"""Which device a name means, and what it is."""

from __future__ import annotations

import platform
from pathlib import Path

import psutil
import torch

from .protocol import Device
from .settings import SettingError


def resolve(name: str) -> torch.device:
    """The device that `name` (auto, cpu, mps, cuda, cuda:N) means on this machine.

    Raises `SettingError` if there is none.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", 0)
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if count == 0:
            raise SettingError(
                f"device {name}: PyTorch {torch.__version__} sees no CUDA device here; "
                "use --device cpu or auto"
            )
        index = device.index or 0
        if index >= count:
            raise SettingError(f"device {name}: there are cuda:0 to cuda:{count - 1}")
        return torch.device("cuda", index)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise SettingError("device mps: PyTorch sees no Apple GPU here; use --device cpu or auto")
    return device


def describe(device: torch.device) -> Device:
    """The device's name, what it is, and its memory in bytes."""
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        uuid = f"GPU-{properties.uuid}"
        return Device(str(device), properties.name, properties.total_memory, uuid)
    if device.type == "mps":
        return Device(str(device), "Apple GPU", torch.mps.recommended_max_memory())
    return Device(str(device), _processor(), psutil.virtual_memory().total)


def _processor() -> str:
    """The processor's name as the system tells it; Python alone knows only its architecture."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    return platform.processor() or platform.machine()
