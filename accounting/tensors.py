"""The tensors behind a high water: which ones a category consists of when it is largest."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from msgspec.structs import astuple
from vramtop.protocol.split import CATEGORIES, Anatomy, Category, TensorFacts, Tensors

from .anatomy import Life, Page, moments

LISTED = 8


def tensors(
    start: Iterable[tuple[Life, int]], pages: Iterable[Page], anatomy: Anatomy
) -> dict[Category, Tensors]:
    """The largest tensors of each category at the first moment that it is at its high water.

    `start` is what the step held when it began, with sizes in bytes, and `anatomy` what was made
    of it and of `pages`.
    """
    marks = _marks(anatomy)
    alive = dict(start)
    found = {category: _listed(alive, category) for category in marks.get(0, ())}
    changed = (moment for _, changes in pages for moment in moments(changes))
    for passed, moment in enumerate(changed, start=1):
        for life, change, _ in moment:
            alive[life] = alive.get(life, 0) + change
            if not alive[life]:
                del alive[life]
        for category in marks.get(passed, ()):
            found[category] = _listed(alive, category)
    return {category: found[category] for category in CATEGORIES}


def _marks(anatomy: Anatomy) -> dict[int, list[Category]]:
    """The categories by the number of moments that pass until they are first at their highest."""
    marks: dict[int, list[Category]] = {}
    columns = zip(*(astuple(moment.split) for moment in anatomy.curve), strict=True)
    for category, column, most in zip(
        CATEGORIES, columns, astuple(anatomy.high_water), strict=True
    ):
        marks.setdefault(column.index(most), []).append(category)
    return marks


def _listed(alive: dict[Life, int], category: Category) -> Tensors:
    index = CATEGORIES.index(category)
    held = [(life, size) for life, size in alive.items() if size and life.index() == index]
    held.sort(key=lambda each: -each[1])
    others = held[LISTED:]
    return Tensors(
        tuple(_facts(life, size) for life, size in held[:LISTED]),
        len(others),
        sum(size for _, size in others),
    )


def _facts(life: Life, size: int) -> TensorFacts:
    (operator,) = life.operation
    shape, dtype = life.shape, life.dtype
    whole = shape is None or dtype is None or prod(shape) * dtype.itemsize == size
    return TensorFacts(
        bytes=size,
        name=life.name or "",
        operator=str(operator),
        shape=None if shape is None else tuple(shape),
        dtype=None if dtype is None else str(dtype).removeprefix("torch."),
        born=life.phase,
        gone=life.end,
        view=not whole,
    )
