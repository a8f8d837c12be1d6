"""What owners call a life: by the sightings of the owner whose it is."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

from vramtop.protocol.observed.record import Name, Sighting, WatchedStep

from .lives import Life
from .ownership import Belonging, Sightings


class Part(NamedTuple):
    """A tensor that an owner has in a life, its bytes there, and what it is called."""

    name: Name
    label: str
    bytes: int


def parts_of(
    step: WatchedStep, life: Life, belonging: Belonging, sightings: Sightings
) -> Sequence[Part]:
    """The tensors that its owner was seen to have in a life, each address once.

    One that is alone has the whole life. Several share it, as gradients do a bucket of DDP.
    """
    first: dict[int, Sighting] = {}
    for sighting in sightings.get(life, ()):
        if sighting.owner == belonging:
            first.setdefault(sighting.address, sighting)
    parts = []
    for sighting in first.values():
        name = step.names[sighting.name]
        size = life.size if len(first) == 1 else prod(name.shape) * name.itemsize
        parts.append(Part(name, _label(sighting, name), size))
    return parts


def _label(sighting: Sighting, name: Name) -> str:
    if sighting.owner == "gradients":
        return f"{name.path}.grad"
    return f"{name.path}.{sighting.key}" if sighting.key else name.path
