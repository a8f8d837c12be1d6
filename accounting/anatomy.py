"""A step's anatomy, from the changes noted while it ran. Sizes are bytes."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from itertools import groupby

import torch
from torch import Tensor, UntypedStorage
from vramtop.protocol.split import CATEGORIES, Anatomy, Category, Moment, Peak, Phase, Split

_INDEX: dict[Category, int] = {category: index for index, category in enumerate(CATEGORIES)}


class Life:
    """A storage from the moment it is noticed to its end.

    `phase` is that of its birth, None if it is older than the step, and `operation` the run that
    made it; `end` is the phase in which it is given back. `category` and `name` are None unless it
    is known to belong to somebody. `shape` and `dtype` are those of the tensor in it that was seen
    first, or of the one that it belongs to; None where no tensor was ever seen.
    """

    __slots__ = (
        "bytes",
        "category",
        "dtype",
        "end",
        "key",
        "name",
        "operation",
        "phase",
        "reference",
        "shape",
        "survived_forward",
    )

    def __init__(self, key: int, phase: Phase | None, operation: tuple[object]) -> None:
        self.key = key
        self.phase = phase
        self.operation = operation
        self.end: Phase | None = None
        self.bytes = 0
        self.category: Category | None = None
        self.name: str | None = None
        self.shape: torch.Size | None = None
        self.dtype: torch.dtype | None = None
        self.survived_forward = False
        self.reference: weakref.ref[UntypedStorage] | None = None

    def look_at(self, tensor: Tensor) -> None:
        """Note what tensor this is the storage of."""
        self.shape, self.dtype = tensor.shape, tensor.dtype

    def index(self, *, forward_ends: bool = False) -> int:
        """The place of its category in `CATEGORIES`, also as if forward ended now."""
        left = self.survived_forward or (forward_ends and self.phase == "forward")
        unowned: Category = "activations" if left else "temporaries"
        return _INDEX[self.category or unowned]


# A storage, by how many bytes it changed, and the operator whose run that belongs to, in a tuple
# made for this one run.
Change = tuple[Life, int, tuple[object]]

# A phase and the changes within it.
Page = tuple[Phase, list[Change]]

# A place between changes: the page, and how many changes of it come before.
Mark = tuple[int, int]

# The storages at a step's start with their bytes, and its pages.
Log = tuple[list[tuple[Life, int]], list[Page]]


def anatomy(
    start: Iterable[tuple[Life, int]], pages: Iterable[Page], loss: Mark | None = None
) -> Anatomy:
    """The anatomy of a step that held `start` when it began. The curve begins with that.

    What one run of an operator allocates makes one moment, and so does what is released after it.
    `loss` is where the loss began.
    """
    sizes = [0] * len(CATEGORIES)
    for life, size in start:
        sizes[life.index()] += size
    rows = [tuple(sizes)]
    split = Split(*sizes)
    total = top = sum(sizes)
    peak = Peak(total, "load", "", split)
    curve = [Moment("load", split)]
    operators = {"": 0}
    loss_begins: int | None = None
    boundaries: dict[Phase, Split] = {}
    for number, (phase, changes) in enumerate(pages):
        passed = 0
        for moment in moments(changes):
            if loss_begins is None and loss and loss[0] == number and loss[1] <= passed:
                loss_begins = len(curve)
            passed += len(moment)
            for life, change, _ in moment:
                sizes[life.index()] += change
                total += change
            rows.append(tuple(sizes))
            split = Split(*sizes)
            # When something is released is not the doing of the operator that ran last.
            operator = str(moment[0][2][0]) if moment[0][1] > 0 else ""
            curve.append(Moment(phase, split, operators.setdefault(operator, len(operators))))
            if total > top:
                top = total
                peak = Peak(total, phase, operator, split)
        boundaries[phase] = split
    high_water = Split(*map(max, zip(*rows, strict=True)))
    return Anatomy(boundaries, high_water, peak, tuple(curve), tuple(operators), loss_begins)


def moments(changes: Iterable[Change]) -> Iterator[list[Change]]:
    """What one run of an operator allocates, or what is released after it, at a time."""
    for _, group in groupby(changes, key=_run_and_direction):
        yield list(group)


def _run_and_direction(change: Change) -> tuple[int, bool]:
    return id(change[2]), change[1] > 0
