"""What belongs to each module itself, at the high water of each category.

A parameter belongs to the module that its path names, and so do its gradient and its state. An
activation belongs to the innermost module that was running. What belongs to no module, as the loss,
has a row of its own, so that the sum of each of these categories is its high water.
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

NO_MODULE = "(no module)"
_BY_NAME: tuple[Category, ...] = ("parameters", "gradients", "optimizer_state")


def layers_of(
    step: WatchedStep, highest: Mapping[Category, Sequence[Block]], sightings: Sightings
) -> tuple[Layer, ...]:
    """The modules that hold anything, in the record's order; those that never ran come last."""
    bytes_of: dict[tuple[str | None, Category], int] = defaultdict(int)
    for category in _BY_NAME:
        for block in highest[category]:
            left = block.size
            for part in parts_of(step, block, category, sightings):
                path, _, _ = part.name.path.rpartition(".")
                size = min(part.bytes, left)  # tensors may overlap
                bytes_of[path, category] += size
                left -= size
            bytes_of[None, category] += left
    for block in highest["activations"]:
        maker = step.modules[block.module].path if block.module >= 0 else None
        bytes_of[maker, "activations"] += block.size
    kinds = {module.path: module.kind for module in step.modules}
    holding = {path for path, _ in bytes_of if path is not None}
    paths = [path for path in kinds if path in holding] + sorted(holding - kinds.keys())
    again = {step.modules[number].path for number in step.recomputed}
    layers = [_layer(path, path, kinds.get(path, ""), bytes_of, path in again) for path in paths]
    nowhere = _layer(None, NO_MODULE, "", bytes_of)
    return (*layers, nowhere) if nowhere.bytes else tuple(layers)


def _layer(
    path: str | None,
    name: str,
    kind: str,
    bytes_of: Mapping[tuple[str | None, Category], int],
    recomputed: bool = False,
) -> Layer:
    return Layer(
        name=name,
        kind=kind,
        parameters=bytes_of.get((path, "parameters"), 0),
        gradients=bytes_of.get((path, "gradients"), 0),
        optimizer_state=bytes_of.get((path, "optimizer_state"), 0),
        activations=bytes_of.get((path, "activations"), 0),
        recomputed=recomputed,
    )
