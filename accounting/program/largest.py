"""The blocks that each category has at its high water."""

from __future__ import annotations

from collections.abc import Mapping

from vramtop.protocol.split import ALL_CATEGORIES, Category

from .blocks import Block, Blocks
from .ownership import Belonging
from .walk import Walk


def at_high_water(
    blocks: Blocks, belongings: Mapping[Block, Belonging], walk: Walk
) -> dict[Category, list[Block]]:
    """The blocks of each category at the place of its high water, the largest first."""
    found: dict[Category, list[Block]] = {category: [] for category in ALL_CATEGORIES}
    for block in blocks:
        belonging = belongings[block]
        if belonging != "workspace" and block.alive_at(walk.highest_at[belonging]):
            found[belonging].append(block)
    for each in found.values():
        each.sort(key=lambda block: -block.size)
    return found
