"""An out of memory of a program, in words: where it was, what was held, what might have helped."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from vramtop.protocol.observed.autopsy import AliveBlock, Autopsy, Other, Pinned, Suggestion
from vramtop.protocol.observed.record import Input
from vramtop.protocol.observed.shapes import Shapes

from . import units
from .shapes import inputs

_MOST_OTHERS, _COMMAND = 3, 40  # processes that are named, and columns of each
THE_REST = "the rest"
_OWNERS = {
    "parameters": "parameters",
    "gradients": "gradients",
    "optimizer_state": "optimizer state",
    "batch_data": "batch data",
}


def place(found: Autopsy) -> str:
    """Where it was: `encoder.1 (Linear), MmBackward0, train.py:42`; may be empty."""
    module = found.module
    named = "" if module is None else module.kind
    if module is not None and module.path:
        named = f"{module.path} ({module.kind})"
    return ", ".join(filter(None, (named, found.operator, found.optimizer, found.line)))


def moment(found: Autopsy) -> str:
    """When it was: `in forward, after 1,204 steps, of float32 64 × 784`; may be empty."""
    phase = f"in {found.phase}" if found.phase is not None else ""
    ended = "" if found.steps is None else f"after {_several(found.steps, 'step')}"
    of = f"of {inputs(found.inputs)}" if found.inputs else ""
    return ", ".join(filter(None, (phase, ended, of)))


def times(found: Autopsy) -> str:
    """`the latest of 3`; empty where it was the only one."""
    return f"the latest of {found.count:,}" if found.count > 1 else ""


def held(found: Autopsy) -> list[tuple[str, int]]:
    """What was in use, by name, all of it."""
    sizes: list[tuple[str, int | None]] = [
        ("parameters", found.parameters),
        ("gradients", found.gradients),
        ("optimizer state", found.optimizer_state),
        (THE_REST, found.rest),
    ]
    return [(name, size) for name, size in sizes if size is not None]


def held_line(found: Autopsy) -> str:
    """`held then 2.00 GiB of 4.00 GiB reserved: parameters 1.00 MiB, the rest 2.00 GiB`."""
    parts = ", ".join(f"{name} {units.size(size)}" for name, size in held(found) if size)
    whole = f"{units.size(found.in_use)} of {units.size(found.reserved)} reserved"
    return f"held then {whole}" + (f": {parts}" if parts else "")


def others_line(found: Autopsy) -> str:
    """`other processes then: 2.00 GiB of python serve.py (pid 77)`; empty where none is known."""
    named = [f"{_bytes_of(each)} of {_process(each)}" for each in found.others or ()]
    more = len(named) - _MOST_OTHERS
    parts = named[:_MOST_OTHERS] + ([f"{more:,} more"] if more > 0 else [])
    return f"other processes then: {', '.join(parts)}" if parts else ""


def larger_line(found: Autopsy, seen: Shapes) -> str:
    """Where its inputs were larger than those of all steps watched before; empty where not."""
    size = _elements(found.inputs)
    before = [each for each in seen.seen if len(each.inputs) == len(found.inputs)]
    if not size or not before:
        return ""
    largest = max(before, key=lambda each: _elements(each.inputs))
    times = size / (_elements(largest.inputs) or 1)
    if times <= 1:
        return ""
    watched = sum(each.watched for each in before)
    return (
        f"its inputs are {times:,.1f} times the largest of {_several(watched, 'step')} watched "
        f"before, {inputs(largest.inputs)}"
    )


def _elements(given: Sequence[Input]) -> int:
    return sum(prod(each.shape) for each in given)


def _bytes_of(other: Other) -> str:
    return units.NOTHING if other.bytes is None else units.size(other.bytes)


def _process(other: Other) -> str:
    command = units.cut(other.command, _COMMAND)
    return f"{command} (pid {other.pid})" if command else f"pid {other.pid}"


def free_line(found: Autopsy) -> str:
    """What was reserved but free; empty where nothing was, or nobody knows."""
    pieces = found.free_pieces
    if pieces is None or not pieces.bytes + pieces.elsewhere:
        return ""
    fitting = f"{units.size(pieces.bytes)} in {_several(pieces.pieces, 'piece')}"
    largest = f", the largest of {units.size(pieces.largest)}" if pieces.pieces > 1 else ""
    other = units.size(pieces.elsewhere)
    elsewhere = f"; {other} for other sizes, streams or pools" if pieces.elsewhere else ""
    return f"Reserved but free: {fitting}{largest}{elsewhere}."


def pinned_line(pinned: Pinned) -> str:
    """A segment that is mostly free, and what keeps it."""
    free, whole = units.size(pinned.free), units.size(pinned.bytes)
    blocks = "a block" if pinned.blocks == 1 else f"{pinned.blocks:,} blocks, the largest"
    return f"{free} free of {whole}, held by {blocks} of {named(pinned.by)}"


def named(block: AliveBlock) -> str:
    """A block by its size, its owner and its line: `16.0 MiB, fc.weight, from train.py:3`."""
    line = f"from {block.line}" if block.line else ""
    return ", ".join(filter(None, (units.size(block.bytes), block.name, line)))


def owner(block: AliveBlock) -> str:
    """The name that its owner has for a block, and which of its owner's it is."""
    if block.owner is None:
        return units.NOTHING
    return f"{block.name} ({_OWNERS[block.owner]})"


def suggestion(found: Autopsy, suggested: Suggestion) -> str:
    """What might have helped, and why. No figure in it is more than what was measured."""
    size, phase = units.size(suggested.bytes), found.phase or "the request"
    match suggested.remedy:
        case "nothing":
            return f"the whole GPU has {size}, less than this one request: ask for less at once"
        case "limit":
            return (
                f"the GPU had {size} free, but the program's own limit is "
                f"{units.size(found.limit)}: set_per_process_memory_fraction"
            )
        case "others":
            return (
                f"{size} of the GPU's {units.size(found.device_total)} are held outside this "
                "program's allocator, by other processes, CUDA and the driver: a freer GPU"
            )
        case "expandable":
            return (
                f"{size} are reserved but free in pieces, more than was wanted: "
                "PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True"
            )
        case "no_grad":
            return (
                "a module in evaluation mode keeps what a backward pass would need, "
                f"part of {size}: torch.no_grad()"
            )
        case "zero_grad":
            return (
                f"gradients of an earlier backward pass hold {size} during {phase}: unless they "
                "add up over batches, zero_grad(set_to_none=True) before it"
            )
        case "optimizer":
            return (
                f"{found.optimizer} makes its state in its first step, {size} of it so far: "
                "an optimizer that keeps less"
            )
        case "batch":
            return (
                f"most is neither parameters, gradients nor optimizer state, {size}: "
                "a smaller batch, or activation checkpointing"
            )


def _several(count: int, name: str) -> str:
    return f"{count:,} {name}{'' if count == 1 else 's'}"
