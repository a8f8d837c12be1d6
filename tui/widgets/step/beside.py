"""What the device's allocator holds beside the categories, and why."""

from __future__ import annotations

from vramtop.protocol.split import AllocatorMemory
from vramtop.tui.words import units


def beside(memory: AllocatorMemory) -> tuple[str, ...]:
    """A sentence for each: the workspace, and what is lost to rounding."""
    sentences = []
    if memory.workspace:
        each = memory.workspace_each
        reason = f"cuBLAS keeps {units.size(each)} a handle" if each else "kept by operators"
        sentences.append(f"workspace {units.size(memory.workspace)}: {reason}")
    if memory.rounding:
        size = units.size(memory.rounding)
        sentences.append(f"rounding {size}: tensors fill whole blocks of 512 B")
    return tuple(sentences)
