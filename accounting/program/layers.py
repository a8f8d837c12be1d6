"""What belongs to each module itself, at the high water of each category.

A parameter belongs to the module that its path names, and so do its gradient and its state. An
activation belongs to the innermost module that was running; the loss, which no module makes, to
none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from vramtop.protocol.observed.record import WatchedStep
from vramtop.protocol.observed.report import Layer
from vramtop.protocol.split import Category

from .blocks import Block
from .naming import parts_of
from .ownership import Sightings

_BY_NAME: tuple[Category, ...] = ("parameters", "gradients", "optimizer_state")


def layers_of(
    step: WatchedStep, highest: Mapping[Category, Sequence[Block]], sightings: Sightings
) -> tuple[Layer, ...]:
    """The modules that hold anything, in the record's order; those that never ran come last."""
    bytes_of: dict[tuple[str, Category], int] = defaultdict(int)
    for category in _BY_NAME:
        for block in highest[category]:
            for part in parts_of(step, block, category, sightings):
                path, _, _ = part.name.path.rpartition(".")
                bytes_of[path, category] += part.bytes
    for block in highest["activations"]:
        if block.module >= 0:
            bytes_of[step.modules[block.module].path, "activations"] += block.size
    kinds = {module.path: module.kind for module in step.modules}
    holding = {path for path, _ in bytes_of}
    paths = [path for path in kinds if path in holding] + sorted(holding - kinds.keys())
    return tuple(
        Layer(
            name=path,
            kind=kinds.get(path, ""),
            parameters=bytes_of.get((path, "parameters"), 0),
            gradients=bytes_of.get((path, "gradients"), 0),
            optimizer_state=bytes_of.get((path, "optimizer_state"), 0),
            activations=bytes_of.get((path, "activations"), 0),
        )
        for path in paths
    )
