"""The bytes that one expects a watched program to hold: elements × bytes of its tensors, by type.

The measured bytes are compared with them. A difference has a reason only where its bytes prove it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from math import prod
from typing import NamedTuple, TypeAlias

from vramtop.accounting.program.other import BUCKET, KEPT, OLDER
from vramtop.protocol.messages import Difference, Expectation
from vramtop.protocol.observed.record import Name, Owner, WatchedStep
from vramtop.protocol.observed.report import Held, StepReport
from vramtop.protocol.split import Category
from vramtop.tui.words import units

Reasons: TypeAlias = Mapping[tuple[str, ...], int]

_SHORT = {OLDER: "older", KEPT: "kept", BUCKET: "DDP's buckets"}
_TERMS = 2  # of a sum that is written out


class Expected(NamedTuple):
    """What is expected of one category.

    `reasons` has the bytes by which the measured ones may differ, under the reason, which is given
    in fewer and fewer words. `note` is shown where they do not differ.
    """

    expectation: Expectation
    reasons: Reasons
    note: str = ""


def expected(step: WatchedStep, report: StepReport) -> dict[Category, Expected]:
    """What one expects of each category; those of which nothing can be known are absent."""
    found = {
        "parameters": _parameters(step),
        "gradients": _gradients(step, report),
        "optimizer_state": _optimizer_state(step, report),
        "batch_data": _batch_data(step, report),
        "other": Expected(Expectation("other", "nothing", 0), {}),
    }
    return {each.expectation.category: each for each in found.values() if each is not None}


def notes(step: WatchedStep, report: StepReport) -> dict[Category, tuple[str, ...]]:
    """More about a category: an estimate of its bytes for each row of the batch."""
    rows = step.inputs[0].shape[0] if step.inputs and step.inputs[0].shape else 1
    size = report.high_water.activations
    if rows < 2 or not size:
        return {}
    each = units.size(size // rows)
    return {
        "activations": (
            f"about {each} a row of the batch (estimate)",
            f"≈{each} a row (est.)",
        )
    }


def differences(
    found: Mapping[Category, Expected], report: StepReport, holders: Iterable[str]
) -> tuple[Difference, ...]:
    """By how much the measured bytes exceed what is expected, and why.

    `holders` are those of what is in *other*, as far as they are known.
    """
    held = tuple(f"held by {name}" for name, _ in Counter(holders).most_common(1))
    return tuple(
        _difference(each, report, held if category == "other" else ())
        for category, each in found.items()
    )


def _difference(each: Expected, report: StepReport, held: tuple[str, ...]) -> Difference:
    category = each.expectation.category
    more = report.high_water.of(category) - each.expectation.bytes
    reasons: tuple[str, ...] = ()
    if category == "other":
        reasons = held + _what(report.other)
    elif more == 0:
        reasons = (each.note,) if each.note else ()
    else:
        reasons = next((why for why, size in each.reasons.items() if size == more), ())
    return Difference(category, more, reasons)


# ---- the categories -------------------------------------------------------------------------


def _parameters(step: WatchedStep) -> Expected:
    names = _parameters_of(step)
    frozen = [name for name in names if not name.trained]
    note = f"{_elements(frozen):,} of them not trained" if frozen else ""
    return Expected(_sum("parameters", names), {}, note)


def _gradients(step: WatchedStep, report: StepReport) -> Expected | None:
    """One for each parameter that is trained, in its type."""
    if report.kind != "training":
        return None
    names = _parameters_of(step)
    trained = [name for name in names if name.trained]
    without = {name.path for name in trained} - _paths(step, "gradients")
    missing = -sum(_size(name) for name in trained if name.path in without)
    whole, rest = sum(map(_size, trained)), len(names) - len(trained)
    reasons: Reasons = {
        (f"{len(without)} of {len(trained)} tensors have none", "some have none"): missing
    }
    if not without and report.high_water.gradients < whole:
        reasons = {("never all at once",): report.high_water.gradients - whole}
    note = f"{rest} tensor{'s' if rest > 1 else ''} not trained" if rest else ""
    return Expected(_sum("gradients", trained), reasons, note)


def _optimizer_state(step: WatchedStep, report: StepReport) -> Expected | None:
    """For each parameter the tensors of its shape that its optimizer was seen to keep."""
    if report.kind != "training":
        return None
    shapes = {(name.path, name.shape) for name in _parameters_of(step)}
    kept: dict[tuple[str, tuple[int, ...]], list[Name]] = defaultdict(list)
    smaller: Counter[str] = Counter()
    for key, name in _keyed(step):
        if (name.path, name.shape) in shapes:
            kept[name.path, name.shape].append(name)
        else:
            smaller[key] += _size(name)
    # Parameters alike in how many such tensors they have are written together.
    terms: Counter[tuple[int, int]] = Counter()
    for names in kept.values():
        terms[len(names), names[0].itemsize] += prod(names[0].shape)
    written = [
        f"{f'{count} × ' if count > 1 else ''}{size} B × {elements:,}"
        for (count, size), elements in terms.most_common()
    ]
    text = " + ".join(written) if len(written) <= _TERMS else f"{sum(terms.values()):,} elements"
    total = sum(_size(name) for names in kept.values() for name in names)
    rest = "counts of steps" if [*smaller] == ["step"] else ", ".join(smaller)
    formula = f"{step.optimizer} {text if written else 'keeps none'}".strip()
    return Expected(
        Expectation("optimizer_state", formula, total), {(rest,): sum(smaller.values())}
    )


def _batch_data(step: WatchedStep, report: StepReport) -> Expected | None:
    """What went into the step's call; None where it has several, which come one after another."""
    names = _names(step, "batch_data", since=step.cut)
    calls = sum(mark.kind == "call" and mark.place >= step.cut for mark in step.marks)
    if not names or calls != 1:
        return None
    shapes = [f"{'×'.join(map(str, name.shape)) or '1'} × {name.itemsize} B" for name in names]
    total = sum(map(_size, names))
    text = " + ".join(shapes) if len(shapes) <= _TERMS else f"{len(shapes)} inputs"
    return Expected(Expectation("batch_data", text, total), _more_of_batch(names, report))


def _more_of_batch(names: Iterable[Name], report: StepReport) -> Reasons:
    """What there is besides what went into the call, all of it together."""
    sizes = {name.path: _size(name) for name in names}
    views = {name.path for name in names if name.view}
    parts: Counter[tuple[str, str]] = Counter()
    seen: set[str] = set()
    for block in report.tensors["batch_data"]:
        if block.name not in sizes:
            parts["also made in load", "other data"] += block.bytes
        elif block.name in seen:
            parts["the batch before is held too", "two batches"] += block.bytes
        elif block.name in views:
            parts["a view of more", "a view"] += block.bytes - sizes[block.name]
        seen.add(block.name)
    words = tuple(", ".join(each) for each in zip(*parts, strict=True))
    return {words: sum(parts.values())}


def _what(other: Iterable[Held]) -> tuple[str, ...]:
    """What is in *other*, in fewer and fewer words."""
    held = tuple(other)
    if not held:
        return ()
    first, rest = held[0], len(held) - 1
    count = f"{first.count:,} × " if first.count > 1 else ""
    where = f", {first.line}" if first.line else ""
    more = f"; {rest} more" if rest else ""
    short = _SHORT.get(first.what, first.what)
    return (
        f"{count}{first.what}{where}{more}",
        f"{count}{first.what}{where}",
        f"{count}{short}{where}{more}",
        f"{count}{short}{where}",
        f"{count}{first.line or short}",
    )


# ---- names ----------------------------------------------------------------------------------


def _names(step: WatchedStep, owner: Owner, since: int = 0) -> list[Name]:
    """The tensors of an owner on this device; of those that are the same memory, the first."""
    found: dict[tuple[int, str], Name] = {}
    for sighting in step.sightings:
        if sighting.owner == owner and sighting.place >= since:
            name = step.names[sighting.name]
            found.setdefault((sighting.address, name.path if name.view else ""), name)
    return list(found.values())


def _paths(step: WatchedStep, owner: Owner) -> set[str]:
    """All that an owner was seen to have, by path."""
    return {step.names[each.name].path for each in step.sightings if each.owner == owner}


def _at_end(step: WatchedStep, owner: Owner) -> int:
    """The place at which everything of an owner was sighted last."""
    return max((each.place for each in step.sightings if each.owner == owner), default=0)


def _parameters_of(step: WatchedStep) -> list[Name]:
    return _names(step, "parameters", _at_end(step, "parameters"))


def _keyed(step: WatchedStep) -> Iterable[tuple[str, Name]]:
    """The tensors of the optimizers' state, each once, with what the optimizer calls it."""
    since = _at_end(step, "optimizer_state")
    found = {
        sighting.address: (sighting.key, step.names[sighting.name])
        for sighting in step.sightings
        if sighting.owner == "optimizer_state" and sighting.place >= since
    }
    return found.values()


def _sum(category: Category, names: Iterable[Name]) -> Expectation:
    """Elements × bytes, summed by type."""
    names = list(names)
    elements: Counter[int] = Counter()
    for name in names:
        elements[name.itemsize] += prod(name.shape)
    terms = [f"{count:,} × {size} B" for size, count in elements.most_common()]
    text = " + ".join(terms) if len(terms) <= _TERMS else f"{_elements(names):,} elements"
    return Expectation(category, text or "none", sum(map(_size, names)))


def _size(name: Name) -> int:
    return prod(name.shape) * name.itemsize


def _elements(names: Iterable[Name]) -> int:
    return sum(prod(name.shape) for name in names)
