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
    """The tensors of the block's owner that were sighted in it, each once.

    A tensor that is alone there has all bytes of the block. Several have their own, as gradients do
    in a bucket of DistributedDataParallel. Where operators are recorded, all of them have the
    address of the block, and views are told apart by their names.
    """
    first: dict[tuple[int, str], tuple[Name, str]] = {}
    for sighting in sightings.get(block, ()):
        if sighting.owner == belonging:
            name = step.names[sighting.name]
            label = label_of(sighting, name)
            alike = label if name.view and step.source == "operators" else ""
            first.setdefault((sighting.address, alike), (name, label))
    return [
        Part(name, label, block.size if len(first) == 1 else prod(name.shape) * name.itemsize)
        for name, label in first.values()
    ]


def label_of(sighting: Sighting, name: Name) -> str:
    """What a tensor is called: `fc.weight`, `fc.weight.grad`, `fc.weight.exp_avg`."""
    if sighting.owner == "gradients":
        return f"{name.path}.grad"
    return f"{name.path}.{sighting.key}" if sighting.key else name.path
