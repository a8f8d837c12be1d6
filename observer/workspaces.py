"""The workspaces of cuBLAS and cuBLASLt on a CUDA device, taken through PyTorch's allocator.

The rules are those of ATen/cuda/CublasHandlePool.cpp. Newer versions of PyTorch report the sizes;
in older ones they follow from the environment and the device. In newer ones cuBLASLt shares
cuBLAS's workspace by default; in older ones it takes its own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

import torch

from .private_cuda import cublas_workspace_size, cublaslt_workspace_size

_KIB = 1024
_LARGE = 8 * 4096 * _KIB  # from Hopper on
_SMALL = 2 * 4096 * _KIB + 8 * 16 * _KIB
_HOPPER = 9
_LT_KIB = 1024


def handle_bytes(device: torch.device) -> int:
    """Bytes that a cuBLAS handle takes at its first use and keeps."""
    reported = cublas_workspace_size()
    if reported is not None:
        return int(reported())
    major, _ = torch.cuda.get_device_capability(device)
    return by_rule(os.environ, major)


def by_rule(environment: Mapping[str, str], major: int) -> int:
    """The same from `CUBLAS_WORKSPACE_CONFIG` and the major compute capability."""
    parts = re.findall(r":([0-9]+):([0-9]+)", environment.get("CUBLAS_WORKSPACE_CONFIG", ""))
    if parts:
        return sum(int(size) * int(count) * _KIB for size, count in parts)
    return _LARGE if major >= _HOPPER else _SMALL


def lt_bytes(environment: Mapping[str, str] = os.environ) -> int:
    """Bytes that cuBLASLt takes for itself at its first use; 0 where it shares cuBLAS's."""
    reported = cublaslt_workspace_size()
    shares = {"0": False, "1": True}.get(
        environment.get("TORCH_CUBLASLT_UNIFIED_WORKSPACE", ""), reported is not None
    )
    if shares:
        return 0
    if reported is not None:
        return int(reported())
    configured = environment.get("CUBLASLT_WORKSPACE_SIZE", "")
    return _KIB * (int(configured) if configured.isdecimal() else _LT_KIB)


def all_sizes(devices: Iterable[torch.device]) -> list[int]:
    """The sizes in which workspaces are taken on these devices, in bytes; none on a CPU."""
    sizes = {handle_bytes(device) for device in devices if device.type == "cuda"}
    return sorted({*sizes, lt_bytes()} - {0}) if sizes else []
