"""The anatomy of a step, from its log. Sizes are bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from vramtop.protocol.split import CATEGORIES, Anatomy, Category, Moment, Peak, Phase, Split

from .records import Change, HeldStorage, StepLog

_INDEX: dict[Category, int] = {category: index for index, category in enumerate(CATEGORIES)}
_ACTIVATIONS, _TEMPORARIES = _INDEX["activations"], _INDEX["temporaries"]


def category_index(owner: Category | None, survived_forward: bool) -> int:
    """The index of a storage's category in `CATEGORIES`.

    A storage without an owner is an activation if forward made it and it was alive at forward's
    end; otherwise it is temporary.
    """
    if owner is not None:
        return _INDEX[owner]
    return _ACTIVATIONS if survived_forward else _TEMPORARIES


def category_indices(log: StepLog) -> list[int]:
    """The index of the category of each storage of a step."""
    return [category_index(record.owner, record.survived_forward) for record in log.storages]


def split_of(held: Iterable[HeldStorage]) -> Split:
    """The bytes of these storages by category."""
    sizes = [0] * len(CATEGORIES)
    for owner, survived_forward, size in held:
        sizes[category_index(owner, survived_forward)] += size
    return Split(*sizes)


def anatomy(log: StepLog) -> Anatomy:
    """The anatomy of a step. The curve begins with what the step held when it began.

    All allocations of one run of an operator are one moment, and so are all releases after it.
    """
    indices = category_indices(log)
    sizes = [0] * len(CATEGORIES)
    for storage, size in log.start:
        sizes[indices[storage]] += size
    rows = [tuple(sizes)]
    split = Split(*sizes)
    total = top = sum(sizes)
    peak = Peak(total, "load", "", split)
    curve = [Moment("load", split)]
    operators = {"": 0}
    loss_begins: int | None = None
    boundaries: dict[Phase, Split] = {}
    for number, (phase, changes) in enumerate(log.phases):
        passed = 0
        for moment in moments(changes):
            if loss_begins is None and log.loss and number == log.loss[0] and passed >= log.loss[1]:
                loss_begins = len(curve)
            passed += len(moment)
            for storage, change, _ in moment:
                sizes[indices[storage]] += change
                total += change
            rows.append(tuple(sizes))
            split = Split(*sizes)
            # The operator that ran last is not the cause of a release.
            _, change, run = moment[0]
            operator = log.operators[run] if change > 0 else ""
            curve.append(Moment(phase, split, operators.setdefault(operator, len(operators))))
            if total > top:
                top = total
                peak = Peak(total, phase, operator, split)
        boundaries[phase] = split
    high_water = Split(*map(max, zip(*rows, strict=True)))
    return Anatomy(boundaries, high_water, peak, tuple(curve), tuple(operators), loss_begins)


def moments(changes: Iterable[Change]) -> Iterator[list[Change]]:
    """The changes in groups: all allocations of one run, or all releases after it."""
    for _, group in groupby(changes, key=_run_and_direction):
        yield list(group)


def _run_and_direction(change: Change) -> tuple[int, bool]:
    return change[2], change[1] > 0
