"""What the device's allocator holds besides the categories, and why."""

from __future__ import annotations

from vramtop.protocol.split import AllocatorMemory
from vramtop.tui.words import units


def overhead(memory: AllocatorMemory) -> tuple[str, ...]:
    """A sentence each for the workspace and for the rounding, where there are any."""
    sentences = []
    if memory.workspace:
        each = memory.workspace_each
        reason = f"cuBLAS keeps {units.size(each)} a handle" if each else "kept by operators"
        sentences.append(f"workspace {units.size(memory.workspace)}: {reason}")
    if memory.rounding:
        size = units.size(memory.rounding)
        sentences.append(f"rounding {size}: tensors fill whole blocks of 512 B")
    return tuple(sentences)
