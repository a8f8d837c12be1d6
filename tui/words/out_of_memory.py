"""What is said of an out of memory: which allocation failed, and which size would have fitted."""

from __future__ import annotations

import msgspec
from vramtop.protocol.lesson.messages import LessonOutOfMemory, WouldFit
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import OutOfMemory
from vramtop.protocol.split import ALL_CATEGORIES

from . import units
from .wording import NAMES, operator, unmodelled

REMEDY = "press - or raise the budget with v"


def headlines(
    event: LessonOutOfMemory, failed: Settings, answer: WouldFit | None
) -> tuple[str, ...]:
    """An out of memory with the settings `failed`, in one line, then in fewer and fewer words.

    `batch 8,192 out of memory, back to 64 · forward, relu wanted 4.00 MiB, 1.31 MiB free · 3,294
    would fit (predicted)`.
    """
    head, fits = f"{_what(event)}, {_then(event, failed)}", prediction(answer)
    lines = (
        (head, wanted(event), fits),
        (head, place(event), fits),
        (head, fits or place(event)),
        (head,),
    )
    texts = (" · ".join(part for part in line if part) for line in lines)
    return tuple(dict.fromkeys(texts))


def headlines_of_any(event: OutOfMemory) -> tuple[str, ...]:
    """The same for a program that does not say how it goes on: `out of memory · forward`."""
    lines = (("out of memory", wanted(event)), ("out of memory", place(event)), ("out of memory",))
    texts = (" · ".join(part for part in line if part) for line in lines)
    return tuple(dict.fromkeys(texts))


def split_line(event: OutOfMemory) -> str:
    """What the step held at that moment: `held then 4.40 MiB: parameters 397.5 KiB, …`."""
    sizes = ((NAMES[name].lower(), event.split.of(name)) for name in ALL_CATEGORIES)
    parts = ", ".join(f"{name} {units.size(size)}" for name, size in sizes if size)
    if not parts:
        return ""
    who = "the evaluation held then" if event.phase == "evaluation" else "held then"
    line = f"{who} {units.size(event.split.total)}: {parts}"
    if event.needed is None or event.limit is None:
        return line
    return f"{line}; it would have been {units.at_least(event.needed, event.limit)}"


def wanted(event: OutOfMemory) -> str:
    """As much as is known of `forward, relu wanted 4.00 MiB, 1.31 MiB free`."""
    if event.wanted is None or event.free is None:
        return place(event)
    wanted, free = units.size(event.wanted), units.size(event.free)
    if wanted == free:
        wanted, free = f"{event.wanted:,} B", f"{event.free:,} B"
    return f"{place(event) or 'something'} wanted {wanted}, {free} free"


def place(event: OutOfMemory) -> str:
    """Where it happened: `forward, relu`."""
    if event.phase == "model":
        return "the model itself"
    phase = event.phase if event.phase and event.phase != "evaluation" else ""
    by = "the batch" if event.operator == "batch" else operator(event.operator)
    return ", ".join(part for part in (phase, by) if part)


def prediction(answer: WouldFit | None) -> str:
    """`3,294 would fit (predicted)`; empty where it is not known.

    A size that fits only in some orders of allocation is added: `…, perhaps up to 3,500`.
    """
    if answer is None or answer.largest is None:
        return ""
    how = unmodelled(answer.unmodelled) if answer.unmodelled else "predicted"
    return fitting(answer.largest, answer.at_best, how)


def fitting(largest: int, at_best: int | None = None, how: str = "predicted") -> str:
    """`3,294 would fit (predicted)`."""
    size = f"{largest:,}" if largest else "not even batch 1"
    more = f", perhaps up to {at_best:,}" if at_best is not None and at_best > largest else ""
    return f"{size} would fit{more} ({how})"


def _what(event: LessonOutOfMemory) -> str:
    if event.phase == "evaluation":
        return f"test data {event.batch_size:,} at a time out of memory"
    times = f" ×{event.accumulation}" if event.accumulation > 1 else ""
    return f"batch {event.batch_size:,}{times} out of memory"


def _then(event: LessonOutOfMemory, failed: Settings) -> str:
    """Which settings go on, by their differences from those that failed; or what one can do."""
    if event.restored is None:
        return "not even one fits" if event.phase == "evaluation" else REMEDY
    if event.phase == "evaluation":
        return f"now {event.restored:,}"
    new = event.back or msgspec.structs.replace(failed, batch_size=event.restored)
    times = f" ×{new.accumulation}" if new.accumulation != event.accumulation else ""
    parts = [
        new.optimizer if new.optimizer != failed.optimizer else "",
        f"hidden {new.hidden:,}" if new.hidden != failed.hidden else "",
        new.dataset if new.dataset != failed.dataset else "",
        new.device if new.device != failed.device else "",
        _budget(new) if new.budget != failed.budget else "",
    ]
    named = ", ".join(part for part in parts if part)
    if not named or times or new.batch_size != event.batch_size:
        named = ", ".join(part for part in (f"{new.batch_size:,}{times}", named) if part)
    return f"back to {named}"


def _budget(settings: Settings) -> str:
    return "no budget" if settings.budget is None else f"a budget of {units.size(settings.budget)}"
