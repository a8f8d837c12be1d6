"""The names that a block's owner has for it: those of its tensors that were sighted there."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

from vramtop.protocol.observed.record import Name, Sighting, WatchedStep

from .blocks import Block
from .ownership import Belonging, Sightings


class Part(NamedTuple):
    """A tensor in a block: its name, its label for a person, and its bytes there."""

    name: Name
    label: str
    bytes: int


def parts_of(
    step: WatchedStep, block: Block, belonging: Belonging, sightings: Sightings
) -> Sequence[Part]:
    """The tensors of the block's owner that were sighted in it, each address once.

    A tensor that is alone there has all bytes of the block. Several have their own, as gradients do
    in a bucket of DistributedDataParallel.
    """
    first: dict[int, Sighting] = {}
    for sighting in sightings.get(block, ()):
        if sighting.owner == belonging:
            first.setdefault(sighting.address, sighting)
    parts = []
    for sighting in first.values():
        name = step.names[sighting.name]
        size = block.size if len(first) == 1 else prod(name.shape) * name.itemsize
        parts.append(Part(name, _label(sighting, name), size))
    return parts


def _label(sighting: Sighting, name: Name) -> str:
    if sighting.owner == "gradients":
        return f"{name.path}.grad"
    return f"{name.path}.{sighting.key}" if sighting.key else name.path
