"""What is known of each batch size that was tried. Pure.

A measurement is replaced only by one that is at least as good. Of two live losses of a size, the
one that began after fewer images stays. Of two measurements of its bytes, a settled one stays.
Losses at another learning rate are set aside until that rate is in force again.
"""

from __future__ import annotations

from math import prod

import msgspec
from msgspec.structs import replace
from vramtop.protocol.lesson.formula import lesson
from vramtop.protocol.lesson.messages import (
    Compared,
    Configured,
    Data,
    Evaluated,
    LessonMeasured,
    LessonOutOfMemory,
    LessonSample,
    Predicted,
    WouldFit,
)
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.split import Split

# Losses are compared over about this many images, and at least over one epoch.
_IMAGES = 30_000


class Learned(msgspec.Struct, frozen=True):
    """The loss on the whole test data before and after training on `images` images at a `rate`.

    `start` is how many images the training had seen before. It is 0 in a fair comparison, where
    each size begins with fresh weights. A live loss starts at the end of the first epoch with these
    settings. Only losses with the same start can be compared.
    """

    before: float
    after: float
    images: int
    start: int
    rate: float


class Visit(msgspec.Struct, frozen=True):
    """A batch size that was tried, in steps that accumulate `accumulation` batches.

    - Bytes are a step's `peak` and its `split`, each category's `high_water`, and the sum of the
      `formula`.
    - Where it ran out of memory, `peak` is what it needed at least and `limit` what there was; both
      are None where the device does not tell. `would_fit` is the largest size that fits.
    - `predicted` tells that it was not tried yet.
    - `learned` (live) and `fair` are losses at the learning rate in force, `aside` at others.
    """

    batch_size: int
    peak: int | None = None
    high_water: Split | None = None
    formula: int | None = None
    step_seconds: float | None = None
    samples_per_second: float | None = None
    learned: Learned | None = None
    fair: Learned | None = None
    aside: tuple[Learned, ...] = ()
    out_of_memory: bool = False
    limit: int | None = None
    predicted: bool = False
    would_fit: WouldFit | None = None
    accumulation: int = 1
    split: Split | None = None

    @property
    def key(self) -> tuple[int, int]:
        """The images of an update, and those of a batch."""
        return self.batch_size * self.accumulation, self.batch_size


# Sorted by their keys, each key once.
Visits = tuple[Visit, ...]


def epochs_between(train_images: int) -> int:
    """How many epochs of `train_images` lie between two losses that are compared."""
    return max(1, round(_IMAGES / train_images))


def with_prediction(visits: Visits, data: Data, predicted: Predicted | None) -> Visits:
    """The visits with a predicted one, unless that size was tried."""
    if predicted is None:
        return visits
    settings, anatomy = predicted.settings, predicted.anatomy
    before = _visit(visits, settings)
    if before in visits:
        return visits
    # Under an allocator that is not modelled, it is not known whether it fits.
    needed = None if predicted.unmodelled else predicted.needed
    visit = replace(
        before,
        peak=needed or anatomy.peak.bytes,
        high_water=anatomy.high_water,
        formula=_formula(settings, data.shape),
        out_of_memory=needed is not None,
        limit=settings.budget,
        predicted=True,
    )
    return _with(visits, visit)


def timed(visits: Visits, settings: Settings, sample: LessonSample) -> Visits:
    """The visits with the time of a step of whole batches."""
    visit = replace(
        _visit(visits, settings),
        step_seconds=sample.step_seconds,
        samples_per_second=sample.samples_per_second,
    )
    return _with(visits, visit)


def measured(visits: Visits, configured: Configured, new: LessonMeasured) -> Visits:
    """The visits with the bytes of an anatomy; one that is not settled replaces no other."""
    visit = _visit(visits, configured.settings)
    if not new.settled and visit.split is not None and not visit.out_of_memory:
        return visits
    visit = replace(
        visit,
        peak=new.anatomy.peak.bytes,
        split=new.anatomy.peak.split,
        high_water=new.anatomy.high_water,
        formula=configured.formula.total,
        out_of_memory=False,
        limit=None,
    )
    return _with(visits, visit)


def evaluated(visits: Visits, configured: Configured, first: Evaluated, new: Evaluated) -> Visits:
    """The visits with the live loss, once enough epochs came after the `first` evaluation."""
    images = configured.data.train_images
    epochs = new.epoch - first.epoch
    if epochs != epochs_between(images):
        return visits
    visit, rate = _visit(visits, configured.settings), configured.settings.rate
    learned = Learned(first.loss, new.loss, epochs * images, first.epoch * images, rate)
    if visit.learned is not None and visit.learned.start <= learned.start:
        return visits
    return _with(visits, replace(visit, learned=learned))


def compared(visits: Visits, new: Compared, shape: tuple[int, ...]) -> Visits:
    """The visits with a run of a fair comparison, on images of this shape.

    Its bytes and speed count only where none were measured live.
    """
    visit = _visit(visits, new.settings)
    if new.out_of_memory:
        known = visit.split is not None and not visit.out_of_memory
        return visits if known else _with(visits, _without_room(visit, new.needed, new.limit))
    if new.before is not None and new.after is not None:
        fair = Learned(new.before, new.after, new.images, 0, new.settings.rate)
        visit = replace(visit, fair=fair)
    if visit.step_seconds is None:
        visit = replace(
            visit, step_seconds=new.step_seconds, samples_per_second=new.samples_per_second
        )
    if new.anatomy is not None and (visit.split is None or visit.out_of_memory):
        visit = replace(
            visit,
            peak=new.anatomy.peak.bytes,
            split=new.anatomy.peak.split,
            high_water=new.anatomy.high_water,
            formula=_formula(new.settings, shape),
            out_of_memory=False,
            limit=None,
        )
    return _with(visits, visit)


def best_compared(visits: Visits) -> tuple[int, float] | None:
    """The batch size with the least loss in a fair comparison, and that loss."""
    known = [(visit.fair.after, visit.batch_size) for visit in visits if visit.fair is not None]
    if not known:
        return None
    loss, size = min(known, key=lambda each: each[0])
    return size, loss


def at_rate(visits: Visits, rate: float) -> Visits:
    """The visits with the losses at this learning rate; those at others are set aside."""
    return tuple(_at_rate(visit, rate) for visit in visits)


def _at_rate(visit: Visit, rate: float) -> Visit:
    known = [*filter(None, (visit.learned, visit.fair)), *visit.aside]
    here = [each for each in known if each.rate == rate]
    return replace(
        visit,
        learned=next((each for each in here if each.start), None),
        fair=next((each for each in here if not each.start), None),
        aside=tuple(each for each in known if each.rate != rate),
    )


def ran_out(visits: Visits, event: LessonOutOfMemory) -> Visits:
    """The visits with a size that ran out of memory; its losses stay."""
    new = Visit(event.batch_size, accumulation=event.accumulation)
    visit = next((visit for visit in visits if visit.key == new.key), new)
    return _with(visits, _without_room(visit, event.needed, event.limit))


def another_budget(visits: Visits) -> Visits:
    """The visits without the sizes that ran out of memory, which may fit now; losses stay."""
    return tuple(
        replace(visit, out_of_memory=False, peak=None, limit=None, would_fit=None)
        if visit.out_of_memory
        else visit
        for visit in visits
        if not visit.out_of_memory or visit.learned or visit.fair or visit.aside
    )


def _without_room(visit: Visit, needed: int | None, limit: int | None) -> Visit:
    return replace(
        visit,
        peak=needed,
        high_water=None,
        split=None,
        out_of_memory=True,
        limit=limit,
        would_fit=None,
    )


def would_fit(visits: Visits, answer: WouldFit) -> Visits:
    """The visits with the largest size that would have fitted instead of one that did not."""
    visit = _visit(visits, answer.settings)
    return _with(visits, replace(visit, would_fit=answer)) if visit.out_of_memory else visits


def _formula(settings: Settings, shape: tuple[int, ...]) -> int:
    """The bytes of the lesson's formula."""
    return lesson(
        pixels=prod(shape),
        hidden=settings.hidden,
        batch_size=settings.batch_size,
        optimizer=settings.optimizer,
    ).total


def _visit(visits: Visits, settings: Settings) -> Visit:
    new = Visit(settings.batch_size, accumulation=settings.accumulation)
    return next((visit for visit in visits if visit.key == new.key), new)


def _with(visits: Visits, new: Visit) -> Visits:
    others = [visit for visit in visits if visit.key != new.key]
    return tuple(sorted([*others, new], key=lambda visit: visit.key))
