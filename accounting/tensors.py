"""The tensors that a category consists of at its high-water mark."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from msgspec.structs import astuple
from vramtop.protocol.split import CATEGORIES, Anatomy, Category, TensorFacts, Tensors

from .anatomy import category_indices, moments
from .records import StepLog

LISTED = 8


def tensors(log: StepLog, anatomy: Anatomy) -> dict[Category, Tensors]:
    """The `LISTED` largest tensors of each category when it first reaches its high-water mark.

    `anatomy` must be that of the same log.
    """
    marks = _marks(anatomy)
    indices = category_indices(log)
    alive = dict(log.start)

    def listed(category: Category) -> Tensors:
        index = CATEGORIES.index(category)
        return _listed(log, {each: size for each, size in alive.items() if indices[each] == index})

    found = {category: listed(category) for category in marks.get(0, ())}
    changed = (moment for _, changes in log.phases for moment in moments(changes))
    for passed, moment in enumerate(changed, start=1):
        for storage, change, _ in moment:
            alive[storage] = alive.get(storage, 0) + change
            if not alive[storage]:
                del alive[storage]
        for category in marks.get(passed, ()):
            found[category] = listed(category)
    return {category: found[category] for category in CATEGORIES}


def _marks(anatomy: Anatomy) -> dict[int, list[Category]]:
    """The categories, by the index of the moment at which they first reach their mark."""
    marks: dict[int, list[Category]] = {}
    columns = zip(*(astuple(moment.split) for moment in anatomy.curve), strict=True)
    for category, column, most in zip(
        CATEGORIES, columns, astuple(anatomy.high_water), strict=True
    ):
        marks.setdefault(column.index(most), []).append(category)
    return marks


def _listed(log: StepLog, alive: Mapping[int, int]) -> Tensors:
    held = sorted(((each, size) for each, size in alive.items() if size), key=lambda each: -each[1])
    others = held[LISTED:]
    return Tensors(
        tuple(_facts(log, storage, size) for storage, size in held[:LISTED]),
        len(others),
        sum(size for _, size in others),
    )


def _facts(log: StepLog, storage: int, size: int) -> TensorFacts:
    record = log.storages[storage]
    shape, itemsize = record.shape, record.itemsize
    whole = shape is None or itemsize is None or prod(shape) * itemsize == size
    return TensorFacts(
        bytes=size,
        name=record.name or "",
        operator=log.operators[record.run],
        shape=shape,
        dtype=record.dtype,
        born=record.born,
        gone=record.gone,
        view=not whole,
    )
