"""The driver's figure and the terms of its sum in words."""

from __future__ import annotations

from vramtop.protocol.observed.driver import DriverSum, Term

from . import units
from .vocabulary import Entry, Section

NAMES: dict[Term, str] = {
    "others": "all else",
    "context": "context",
    "libraries": "libraries",
    "workspace": "workspace",
    "step": "step",
    "rounding": "rounding",
    "cache": "cache",
}
REMAIN: frozenset[Term] = frozenset(("others", "context", "libraries"))
SHORT = {"process": "process, by NVML", "device": "GPU, by CUDA"}
PINNED = "pinned"

_MEANINGS: dict[Term, tuple[str, str]] = {
    "others": (
        "other processes, driver, context, libraries:",
        "what remains; nobody tells them apart",
    ),
    "context": (
        "CUDA's own, and libraries that came before us:",
        "what remains, as it was when it was least",
    ),
    "libraries": (
        "NCCL, cuBLAS, kernels that were loaded since:",
        "what remains beyond the context",
    ),
    "workspace": (
        "cuBLAS keeps it, in memory of the allocator;",
        "CUBLAS_WORKSPACE_CONFIG sets its size",
    ),
    "step": (
        "what its tensors have at the step's end. With",
        "workspace and rounding: memory_allocated()",
    ),
    "rounding": (
        "what fills the allocator's blocks: no tensor",
        "asked for it, but memory_allocated() counts it",
    ),
    "cache": (
        "in memory_reserved(), free for what comes;",
        "torch.cuda.empty_cache() gives whole parts back",
    ),
}
_FIGURE = {
    "process": (
        "NVML's for the process; nvidia-smi shows it.",
        "It is the sum of what follows",
    ),
    "device": (
        "CUDA's for the whole GPU: NVML has none for",
        "this process, as in containers",
    ),
}
_PINNED = (
    "of the host's memory, beside the sum: what",
    "pin_memory and copies to the GPU keep",
)


def section(found: DriverSum) -> Section:
    """The help's section: the figure and each term with its bytes, in two lines."""
    entries = [_entry("in use", found.bytes, _FIGURE[found.by])]
    entries += [_entry(NAMES[term], size, _MEANINGS[term]) for term, size in found.terms.items()]
    if found.pinned is not None:
        entries.append(_entry(PINNED, found.pinned, _PINNED))
    return Section("why nvidia-smi shows more than tensors have", tuple(entries))


def _entry(name: str, size: int, meaning: tuple[str, str]) -> Entry:
    return Entry(name, "\n".join(meaning), figure=units.size(size))
