"""What is behind a category's high water: the lives that it has there."""

from __future__ import annotations

from collections.abc import Mapping

from vramtop.protocol.split import ALL_CATEGORIES, Category

from .lives import Life, Lives
from .ownership import Belonging
from .walk import Walk


def at_high_water(
    lives: Lives, belongings: Mapping[Life, Belonging], walk: Walk
) -> dict[Category, list[Life]]:
    """The lives of each category at the place of its high water, the largest first."""
    found: dict[Category, list[Life]] = {category: [] for category in ALL_CATEGORIES}
    for life in lives:
        belonging = belongings[life]
        if belonging != "workspace" and life.alive_at(walk.highest_at[belonging]):
            found[belonging].append(life)
    for each in found.values():
        each.sort(key=lambda life: -life.size)
    return found
