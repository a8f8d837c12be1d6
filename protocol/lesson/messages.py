"""Messages that only the lesson's worker sends: settings, images, searches, comparisons."""

from __future__ import annotations

from typing import Literal

import msgspec
from vramtop.protocol.lesson.formula import Formula
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import (
    Ended,
    Measured,
    Message,
    OutOfMemory,
    Program,
    Sample,
)
from vramtop.protocol.split import AllocatorMemory, Anatomy, Split

SourceKind = Literal["files", "sample", "synthetic"]


class Data(msgspec.Struct, frozen=True):
    """The images in use. `source` says where they come from; synthetic ones are drawn."""

    source: SourceKind
    description: str
    train_images: int
    test_images: int
    shape: tuple[int, int, int]
    classes: tuple[str, ...]


class Stage(msgspec.Struct, frozen=True):
    """The tensor that `operation` makes of an image.

    `bytes` is the size of its elements, `low`, `high` and `mean` are those of its values.
    """

    operation: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int
    low: float
    high: float
    mean: float


class Configured(Program, frozen=True, tag="configured", kw_only=True):
    """The settings in force, sent at the start and after every change.

    `fresh` says that the training begins with its initial parameters, at step 0.
    """

    settings: Settings
    data: Data
    formula: Formula
    fresh: bool = False


class LessonSample(Sample, frozen=True, tag="sample", kw_only=True):
    """A training step, on one batch or on several whose gradients it adds up.

    `position` counts the images trained on in this epoch, `images` those since the training began.
    `batch_size` is the number of images in this step, over all its batches; an epoch's last step
    can be short. `part` is the number of the batch in which the step is held.
    """

    epoch: int
    position: int
    images: int
    batch_size: int
    samples_per_second: float | None = None


class LessonMeasured(Measured, frozen=True, tag="measured", kw_only=True):
    """The anatomy of a recorded step on `batch_size` images, over all its batches.

    The first steps after a change of model or optimizer are not `settled`.
    """

    batch_size: int


class LessonOutOfMemory(OutOfMemory, frozen=True, tag="out_of_memory", kw_only=True):
    """A step, or an evaluation, that ran out of memory.

    The step added up `accumulation` batches of `batch_size` images. The training continues with the
    settings `back`, keeping its parameters; `restored` is their batch size. Both are None if it
    cannot continue. After an evaluation only `restored` is set: the batch size that is tried next.
    `limit` is the budget, where there is one.
    """

    batch_size: int
    restored: int | None
    accumulation: int = 1
    back: Settings | None = None


class LessonEnded(Ended, frozen=True, tag="ended"):
    """The training reached its end or was told to stop, after `steps` and `images`."""

    images: int


class Evaluated(Message, frozen=True, tag="evaluated"):
    """The model on the test data, at the end of an epoch or of the training.

    `loss` is the mean over all `images`, `accuracy` the share classified rightly. `batch_size`
    images are evaluated at a time. `peak` is the split at the evaluation's own peak, None where it
    was not recorded.
    """

    epoch: int
    loss: float
    accuracy: float
    images: int
    batch_size: int
    peak: Split | None


class Noise(Message, frozen=True, tag="noise"):
    """The gradient noise scale (McCandlish et al. 2018), estimated before steps up to `step`.

    `noise` is tr(Σ), the summed variance of the gradients of single images. `signal` is |G|², the
    squared norm of the gradient over all images. Both are exponential moving means over
    `estimates` estimates, each made from `images` images. An estimate weighs 0.95 times as much as
    the next.

    Their ratio is the simple noise `scale`, in images. Batches larger than that gain little. `low`
    and `high` are the ends of its 90% confidence interval. All three are None while the signal
    cannot be told from zero. `peak` is the split at an estimate's own peak.
    """

    step: int
    images: int
    estimates: int
    noise: float
    signal: float
    scale: float | None
    low: float | None
    high: float | None
    peak: Split | None


class WouldFit(Message, frozen=True, tag="would_fit"):
    """The `largest` batch size that would have fitted, for `settings` that ran out of memory.

    It is predicted: no step was tried. It follows each `LessonOutOfMemory` of a step after some
    time, unless another one comes first. `limit` is the budget, or what the device had available,
    in bytes. `largest` is 0 where not even one image fits, and None where the prediction does not
    explain the failure.

    On a CUDA device `largest` fits from an empty cache in every order of allocation. Sizes up to
    `at_best` fit in some order. `unmodelled` names settings of the allocator that the prediction
    ignores; with any, the numbers are estimates.
    """

    settings: Settings
    limit: int
    largest: int | None
    at_best: int | None = None
    unmodelled: tuple[str, ...] = ()


class Predicted(Message, frozen=True, tag="predicted"):
    """The prediction of a settled step with these settings on `device`; nothing was allocated.

    `allocator` is predicted for a CUDA device, its `reserved` to within a segment; else it is None.
    `needed` is None where the step fits the settings' budget, else the bytes that it needs. For
    `unmodelled` see `WouldFit`.
    """

    settings: Settings
    device: str
    anatomy: Anatomy
    allocator: AllocatorMemory | None
    needed: int | None
    unmodelled: tuple[str, ...] = ()


class Trying(Message, frozen=True, tag="trying"):
    """A search is about to take real steps with this batch size."""

    batch_size: int


class Tried(Message, frozen=True, tag="tried"):
    """A search has taken real steps with this batch size; `fits` says whether they fitted."""

    batch_size: int
    fits: bool


class Timed(Message, frozen=True, tag="timed"):
    """The measured speed of plain steps with this batch size."""

    batch_size: int
    samples_per_second: float


class Found(Message, frozen=True, tag="found"):
    """The largest batch size that fits `budget` bytes, and four fifths of it.

    `limited_by` is "data" where all training images in one batch would still fit. `peak_at_max` is
    the peak of the largest size, `peak_beyond` that of one image more, None where the data ends.
    Both count as the budget does: on a CUDA device the bytes that its allocator takes from the
    driver, elsewhere the bytes that the step asks for. `trial_steps` real steps were taken;
    `oom_trials` trials ran out of memory. `speeds` were measured at doubling sizes;
    `fast_batch_size` is the smallest of them within 5% of the best. `no_room` are the sizes among
    these that did not fit although the largest does, because the allocator's segments are cut up
    differently. All steps add up `accumulation` batches.

    On a CUDA device each size was tried from an empty cache in `orders` orders of allocation, and
    the largest fits in all of them. By prediction, sizes up to `at_best` fit in some order. It is
    None where there is no larger such size, or where settings of the allocator are `unmodelled`.
    """

    max_batch_size: int
    recommended_batch_size: int
    limited_by: Literal["memory", "data"]
    budget: int
    peak_at_max: int
    peak_beyond: int | None
    trial_steps: int
    oom_trials: int
    fast_batch_size: int
    speeds: tuple[Timed, ...]
    accumulation: int = 1
    no_room: tuple[int, ...] = ()
    orders: int = 1
    at_best: int | None = None
    unmodelled: tuple[str, ...] = ()


class SearchEnded(Message, frozen=True, tag="search_ended"):
    """A search is over and the training continues; `found` is None if it found nothing."""

    found: Found | None


class Comparing(Message, frozen=True, tag="comparing"):
    """A comparison's progress: run `number` of `runs`, from 1, at image `done` of `images`."""

    batch_size: int
    number: int
    runs: int
    done: int
    images: int


class Compared(Message, frozen=True, tag="compared"):
    """A run of a comparison has ended: `settings` trained on `images` images from the start.

    `before` and `after` are the mean losses on the test data, with the initial parameters and at
    the end. `accuracy` is the share classified rightly at the end. `anatomy` is that of a settled
    step. Timings, in seconds, are means over plain steps on full batches, None where there were
    none. A run that was `out_of_memory` has only the bytes that it `needed` at least and the
    `limit`, both None where they are not known.
    """

    settings: Settings
    images: int
    before: float | None = None
    after: float | None = None
    accuracy: float | None = None
    anatomy: Anatomy | None = None
    step_seconds: float | None = None
    samples_per_second: float | None = None
    out_of_memory: bool = False
    needed: int | None = None
    limit: int | None = None


class ComparisonEnded(Message, frozen=True, tag="comparison_ended"):
    """A comparison is over and the training continues; `complete` is False if it was called off."""

    complete: bool


class Picture(Message, frozen=True, tag="picture"):
    """A training image, from the file to the model and back to what a screen can draw.

    The `stages` are: uint8 as stored, (C, H, W); scaled to 0…1; normalised by `normalisation`
    (mean and standard deviation); with a batch dimension, as the model gets it; de-normalised to
    uint8; with the channels last, (H, W, C). `pixels` are the last one's values, row by row.
    """

    index: int
    label: int
    class_name: str
    source: SourceKind
    normalisation: tuple[float, float]
    stages: tuple[Stage, ...]
    pixels: bytes
