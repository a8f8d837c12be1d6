"""What is known of each batch size that was tried. Pure."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from ..trainer.formula import lesson
from ..trainer.protocol import (
    Configured,
    Evaluated,
    Measured,
    OutOfMemory,
    Predicted,
    Sample,
    WouldFit,
)
from ..trainer.settings import Settings
from ..trainer.split import Split

# Losses are compared over about so many images: five epochs of the sample, one of all of MNIST.
_IMAGES = 30_000


class Learned(msgspec.Struct, frozen=True):
    """The loss on the test data at the ends of two epochs, with `images` trained on in between.

    Both are of the whole test data, so that no batch's luck is in them. The first is at the end of
    the first epoch since the settings came into force. A later size begins with parameters that
    know more: what can be compared is how far the loss went.
    """

    before: float
    after: float
    images: int


class Visit(msgspec.Struct, frozen=True):
    """A batch size that was tried, in steps that add up so many of such batches.

    Bytes: `peak` of a step and its `split`, each category's own `high_water`, the `formula`'s sum.
    Of a size that ran out of memory the `peak` is what it needed at least, and `limit` what there
    was, both None where the device does not tell; `would_fit` is the largest size that fits, as
    foretold. One that is `foretold` was not tried yet.
    """

    batch_size: int
    peak: int | None = None
    high_water: Split | None = None
    formula: int | None = None
    step_seconds: float | None = None
    samples_per_second: float | None = None
    learned: Learned | None = None
    out_of_memory: bool = False
    limit: int | None = None
    foretold: bool = False
    would_fit: int | None = None
    accumulation: int = 1
    split: Split | None = None

    @property
    def key(self) -> tuple[int, int]:
        """The images of an update, and those of a batch."""
        return self.batch_size * self.accumulation, self.batch_size


# Sorted by what makes an update, each once.
Visits = tuple[Visit, ...]


def epochs_between(train_images: int) -> int:
    """How many epochs of so many images the losses that are compared lie apart; at least one."""
    return max(1, round(_IMAGES / train_images))


def foretold(visits: Visits, pixels: int, predicted: Predicted | None) -> Visits:
    """With what was foretold of images of so many values, unless that size was tried."""
    if predicted is None:
        return visits
    settings, anatomy = predicted.settings, predicted.anatomy
    before = _visit(visits, settings)
    if before in visits:
        return visits
    formula = lesson(
        pixels=pixels,
        hidden=settings.hidden,
        batch_size=settings.batch_size,
        optimizer=settings.optimizer,
    )
    visit = replace(
        before,
        peak=predicted.needed or anatomy.peak.bytes,
        high_water=anatomy.high_water,
        formula=formula.total,
        out_of_memory=predicted.needed is not None,
        limit=settings.budget,
        foretold=True,
    )
    return _with(visits, visit)


def timed(visits: Visits, settings: Settings, sample: Sample) -> Visits:
    """With a sample's step time; it was of whole batches."""
    visit = replace(
        _visit(visits, settings),
        step_seconds=sample.step_seconds,
        samples_per_second=sample.samples_per_second,
    )
    return _with(visits, visit)


def measured(visits: Visits, configured: Configured, new: Measured) -> Visits:
    """With the bytes of an anatomy."""
    visit = replace(
        _visit(visits, configured.settings),
        peak=new.anatomy.peak.bytes,
        split=new.anatomy.peak.split,
        high_water=new.anatomy.high_water,
        formula=configured.formula.total,
        out_of_memory=False,
        limit=None,
    )
    return _with(visits, visit)


def evaluated(visits: Visits, configured: Configured, first: Evaluated, new: Evaluated) -> Visits:
    """With what was learned since the `first` evaluation of these settings, once it is time."""
    images = configured.data.train_images
    epochs = new.epoch - first.epoch
    if epochs != epochs_between(images):
        return visits
    learned = Learned(first.loss, new.loss, epochs * images)
    return _with(visits, replace(_visit(visits, configured.settings), learned=learned))


def ran_out(visits: Visits, event: OutOfMemory) -> Visits:
    """With a size that did not fit."""
    visit = Visit(
        event.batch_size,
        peak=event.needed,
        out_of_memory=True,
        limit=event.limit,
        accumulation=event.accumulation,
    )
    return _with(visits, visit)


def would_fit(visits: Visits, answer: WouldFit) -> Visits:
    """With the largest size that would have fitted, where one did not."""
    visit = _visit(visits, answer.settings)
    return (
        _with(visits, replace(visit, would_fit=answer.largest)) if visit.out_of_memory else visits
    )


def _visit(visits: Visits, settings: Settings) -> Visit:
    new = Visit(settings.batch_size, accumulation=settings.accumulation)
    return next((visit for visit in visits if visit.key == new.key), new)


def _with(visits: Visits, new: Visit) -> Visits:
    others = [visit for visit in visits if visit.key != new.key]
    return tuple(sorted([*others, new], key=lambda visit: visit.key))
