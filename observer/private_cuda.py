"""Access to PyTorch's private names about CUDA. No other module of observer or trainer uses any.

All are the same in PyTorch 2.9, 2.10 and 2.14, except where a docstring says otherwise.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch.cuda import memory

C = torch._C
CUDA_START = "_lazy_init"  # the function in which PyTorch starts CUDA


def when_cuda_starts(call: Callable[[], object]) -> None:
    """Call this once CUDA has been started; at once if it has. It must not raise."""
    torch.cuda._lazy_call(call)  # type: ignore[no-untyped-call]


# The functions of `torch._C` by which a history is started and stopped, as far as there are such.
HISTORY_FUNCTIONS = ("_cuda_record_memory_history", "_cuda_record_memory_history_legacy")


def history_enabled() -> bool:
    """Whether the history of CUDA's caching allocator is being recorded."""
    enabled: bool = torch._C._cuda_isHistoryEnabled()
    return enabled


def start_history(entries: int, *, lines: bool = False) -> None:
    """Start to record the history of CUDA's caching allocator, with at most `entries` entries.

    With `lines`, it also has the Python frames of each allocation. Annotations are recorded in all
    threads: those of a single one could be ended only there.
    """
    memory._record_memory_history(
        "all",
        context="alloc" if lines else None,
        stacks="python",
        max_entries=entries,
        clear_history=True,
        global_record_annotations=True,
    )


def stop_history() -> None:
    """Stop recording, and free the recorded history."""
    memory._record_memory_history(None)


def allocator_snapshot(device: torch.device) -> dict[str, Any]:
    """All blocks of CUDA's caching allocator, and its recorded history."""
    taken: dict[str, Any] = memory._snapshot(device)
    return taken


def allocator_segments(index: int) -> list[dict[str, Any]]:
    """All segments of the caching allocator of the device of this index, with their blocks."""
    untraced = "include_traces" in inspect.signature(torch.cuda.memory_snapshot).parameters
    options = {"include_traces": False} if untraced else {}  # PyTorch 2.9 knows no such option
    segments: list[dict[str, Any]] = torch.cuda.memory_snapshot(**options)  # type: ignore[no-untyped-call]
    return [segment for segment in segments if segment["device"] == index]


def call_when_out_of_memory(noted: Callable[[int, int, int, int], None]) -> None:
    """Call `noted` for each request that CUDA's caching allocator denies.

    Its arguments are the device's index, and in bytes the size wanted, the process's limit, and
    what is free on the device. It is called in the thread that asked, before anything is freed, and
    while no lock of the allocator is held: it may ask for statistics and segments. It must not
    raise.
    """
    torch._C._cuda_attach_out_of_memory_observer(noted)  # type: ignore[attr-defined]


def cuda_started() -> bool:
    """Whether this process uses CUDA."""
    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]


def allocator_statistics(index: int) -> dict[str, Any]:
    """What the caching allocator of the device of this index counts, nested by name."""
    counted: dict[str, Any] = torch._C._cuda_memoryStats(index)
    return counted


def allocations_and_releases(statistics: dict[str, Any]) -> int:
    """How many allocations and releases there were since the process began."""
    active = statistics["active"]["all"]
    count: int = active["allocated"] + active["freed"]
    return count


def cublas_workspace_size() -> Callable[[], int] | None:
    """Asks CUDA how many bytes a cuBLAS handle takes at its first use; None in PyTorch 2.9."""
    found: Callable[[], int] | None = getattr(torch._C, "_cuda_getCublasWorkspaceSize", None)
    return found


def cublaslt_workspace_size() -> Callable[[], int] | None:
    """Asks CUDA how many bytes cuBLASLt takes at its first use; None in PyTorch 2.9."""
    found: Callable[[], int] | None = getattr(torch._C, "_cuda_getCublasLtWorkspaceSize", None)
    return found


def free_and_total(device: torch.device) -> tuple[int, int]:
    """The bytes of a GPU that nobody holds, and all that it has, as CUDA says."""
    free, total = torch.cuda.mem_get_info(device)
    return int(free), int(total)


def pinned_host_bytes() -> int | None:
    """The bytes of the host's memory that PyTorch has pinned; None in versions that do not tell.

    CUDA must have been started.
    """
    ask: Callable[[], dict[str, Any]] | None = getattr(torch._C, "_cuda_hostMemoryStats", None)
    counted = ask().get("allocated_bytes") if ask is not None else None
    return None if counted is None else int(counted["current"])
