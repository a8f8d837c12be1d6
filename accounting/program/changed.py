"""A recorded step with something changed: less memory, or more, between two places."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod
from operator import add
from typing import NamedTuple

from vramtop.protocol.observed.record import Name, Owner, WatchedStep
from vramtop.protocol.observed.report import Bound
from vramtop.protocol.split import Category

from .blocks import Block, Blocks
from .ownership import Belonging, Sightings
from .phases import Stretch, Timeline

_END = sys.maxsize


class Change(NamedTuple):
    """So many bytes more, or fewer where negative, at the places from `begin` to `end`, both in."""

    begin: int
    end: int
    bytes: int


class Idea(NamedTuple):
    """A change to the program: what it is, what to write, and what it does to the step."""

    what: str
    code: str
    bound: Bound
    changes: Sequence[Change]


@dataclass(frozen=True)
class Recorded:
    """A watched step and what was found in it; `curve` has its bytes at each place from the cut."""

    step: WatchedStep
    blocks: Blocks
    timeline: Timeline
    belongings: Mapping[Block, Belonging]
    sightings: Sightings
    curve: Sequence[int]

    def of(self, *categories: Category) -> list[Block]:
        """The blocks of these categories."""
        return [block for block in self.blocks if self.belongings[block] in categories]

    def names(self, owner: Owner) -> dict[str, Name]:
        """A tensor of this owner for each path."""
        names = self.step.names
        return {
            names[sighting.name].path: names[sighting.name]
            for sighting in self.step.sightings
            if sighting.owner == owner
        }

    def optimizer_steps(self) -> list[Stretch]:
        """The optimizers' steps in the second period, each where it begins."""
        return [each for each in self.timeline.watched if each.since.kind == "optimizer"]

    def in_optimizer(self) -> Iterable[Stretch]:
        """What the second period does in optimizers' steps."""
        return (each for each in self.timeline.watched if each.phase == "optimizer")

    def with_(self, changes: Iterable[Change]) -> list[int]:
        """The curve with these changes."""
        cut, last = self.step.cut, len(self.curve) - 1
        differences = [0] * (last + 2)
        for begin, end, size in changes:
            first, after = max(begin - cut, 0), min(end - cut, last) + 1
            if first < after:
                differences[first] += size
                differences[after] -= size
        return list(map(add, self.curve, accumulate(differences)))


def all_its_life(block: Block, size: int) -> Change:
    """So many bytes more or fewer for as long as a block is alive."""
    begin = 0 if block.birth is None else block.birth + 1
    return Change(begin, _END if block.release is None else block.release, size)


def always(size: int) -> Change:
    """So many bytes more or fewer at all places."""
    return Change(0, _END, size)


def bytes_of(name: Name) -> int:
    """The bytes of a tensor's elements."""
    return prod(name.shape) * name.itemsize
