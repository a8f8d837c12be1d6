"""What a program did and held on a GPU when its allocator had to deny a request.

All of it is noted within the request, before the program's error frees anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from threading import get_ident
from typing import NamedTuple

import torch

from ..private_cuda import allocator_segments, allocator_statistics
from .held import Held, gradients_on, state_of
from .lines import NOWHERE, Lines
from .owners import Owned, Owners
from .scene import Scene, gradients_are_still, line_of_program, scene
from .window import Window
from .windows import Windows

Message = dict[str, object]


class Denial(NamedTuple):
    """A request that was denied on the GPU of this number, in bytes.

    `wanted` is what the allocator asked the driver for, which is the request in whole segments. The
    process may take up to `allowed`; the device has `free` left. It is the latest of `number`.
    """

    gpu: int
    wanted: int
    allowed: int
    free: int
    number: int


def out_of_memory(denial: Denial, windows: Windows) -> Message:
    """The message that a request was denied in this thread."""
    owners = windows.owners
    device = torch.device("cuda", denial.gpu)
    seen = scene()
    if seen.outermost is not None:
        owners.add_module(seen.outermost)
    if seen.optimizer is not None:
        owners.add_optimizer(seen.optimizer)
    parameters = list(owners.parameters())
    lines = Lines()
    line = line_of_program(lines)
    return {
        "type": "out_of_memory",
        "device": str(device),
        "line": "" if line == NOWHERE else lines.texts[line],
        "count": denial.number,
        "steps": windows.steps.most or (0 if owners.optimizers() else None),
        **_doing(seen, owners, parameters),
        **_of_window(seen, windows.window),
        **_figures(denial),
        **_held(device, owners, parameters),
        "stream": torch.cuda.current_stream(device).cuda_stream,
        **_allocated(denial.gpu, lines),
    }


def _doing(seen: Scene, owners: Owners, parameters: Iterable[Owned]) -> Message:
    """The module and the operator that ran, and how."""
    paths = owners.module_paths()
    module = paths.get(id(seen.module))
    if module is None:
        # An operator's backward belongs to the module whose parameters it took.
        taken = [each.path for each in parameters if id(each.tensor) in seen.leaves]
        holders = {path.rpartition(".")[0] for path in taken}
        module = next((known for known in paths.values() if {known[0]} == holders), None)
    return {
        "module": module,
        "operator": seen.operator,
        "optimizer": type(seen.optimizer).__name__ if seen.optimizer is not None else "",
        "new_state": seen.new_state,
        "differentiable": torch.is_grad_enabled(),
        "evaluates": seen.outermost is not None and not seen.outermost.training,
    }


def _of_window(seen: Scene, window: Window | None) -> Message:
    """The phase and the inputs, with what an open window knows of them."""
    phase, inputs = seen.phase, list(seen.inputs)
    if window is not None and not window.abandoned:
        if not phase and window.thread == get_ident():
            phase = window.gap
        if not inputs and phase in ("forward", "backward"):
            inputs = window.step_inputs
    return {"phase": phase or "outside", "inputs": inputs}


def _figures(denial: Denial) -> Message:
    statistics = allocator_statistics(denial.gpu)
    reserved = statistics["reserved_bytes"]["all"]["current"]
    properties = torch.cuda.get_device_properties(denial.gpu)
    return {
        "wanted": denial.wanted,
        "free": max(0, min(denial.free, denial.allowed - reserved)),
        "limit": denial.allowed,
        "device_free": denial.free,
        "device_total": properties.total_memory,
        "uuid": str(getattr(properties, "uuid", "")),
        "reserved": reserved,
        "requested": statistics["requested_bytes"]["all"]["current"],
    }


def _held(device: torch.device, owners: Owners, parameters: list[Owned]) -> Message:
    """The bytes of each owner, and the addresses; gradients only where no thread writes them."""
    held = Held(device)
    return {
        "parameters": held.add("parameters", parameters),
        "optimizer_state": held.add("optimizer_state", state_of(owners, parameters)),
        "gradients": held.add("gradients", gradients_on(device, parameters))
        if gradients_are_still(device)
        else None,
        "sightings": held.sightings,
        "names": held.names.values,
    }


def _allocated(index: int, lines: Lines) -> Message:
    """The allocator's segments, and the blocks in them."""
    segments, blocks = [], []
    for number, segment in enumerate(allocator_segments(index)):
        segments.append(
            [
                segment["total_size"],
                segment["stream"],
                segment["segment_type"],
                any(segment.get("segment_pool_id", ())),
                bool(segment.get("is_expandable")),
            ]
        )
        for block in segment["blocks"]:
            alive = block["state"].startswith("active")
            requested = block["requested_size"] if alive else 0
            line = lines.of_frames(block.get("frames", [])) if alive else NOWHERE
            blocks.append([number, block["address"], block["size"], requested, line])
    return {"segments": segments, "blocks": blocks, "lines": lines.texts}
