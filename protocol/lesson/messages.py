"""What only the lesson's worker says: its settings, images, tests, searches and comparisons."""

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

Source = Literal["files", "sample", "synthetic"]


class Data(msgspec.Struct, frozen=True):
    """The images at hand. `source` says where they come from; synthetic ones are drawn."""

    source: Source
    description: str
    train_images: int
    test_images: int
    shape: tuple[int, int, int]
    classes: tuple[str, ...]


class Stage(msgspec.Struct, frozen=True):
    """A tensor on an image's way, as it really is after `operation`.

    `bytes` is its element's size times how many it has; `low`, `high` and `mean` are of its values.
    """

    operation: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int
    low: float
    high: float
    mean: float


class Configured(Program, frozen=True, tag="configured", kw_only=True):
    """The settings now in force, sent at the start and after every change.

    `fresh` says that the training begins with its initial parameters, at step 0.
    """

    settings: Settings
    data: Data
    formula: Formula
    fresh: bool = False


class LessonSample(Sample, frozen=True, tag="sample", kw_only=True):
    """A step of the training, on a batch or on several that it adds up.

    `position` counts the images of this epoch that were trained on; `images` those since the
    session began. `batch_size` is the rows of this very step, all batches that it adds up together
    (the last of an epoch can be short); `part` says in which of those batches a step is held.
    """

    epoch: int
    position: int
    images: int
    batch_size: int
    samples_per_second: float | None = None


class LessonMeasured(Measured, frozen=True, tag="measured", kw_only=True):
    """The anatomy of an instrumented step on `batch_size` rows, all its batches together.

    It is not settled after a change of model or optimizer.
    """

    batch_size: int


class LessonOutOfMemory(OutOfMemory, frozen=True, tag="out_of_memory", kw_only=True):
    """A step that did not fit. `restored` is the batch size that goes on, None if none does.

    The step added up `accumulation` batches of `batch_size`. The settings that go on are `back`,
    with all that was learned; in an evaluation nothing but `restored` changes. The `limit` is the
    budget, where there is one.
    """

    batch_size: int
    restored: int | None
    accumulation: int = 1
    back: Settings | None = None


class LessonEnded(Ended, frozen=True, tag="ended"):
    """The training reached its number of steps or was told to stop; both count from its start."""

    images: int


class Evaluated(Message, frozen=True, tag="evaluated"):
    """The test data, seen once at the end of an epoch or of all, `batch_size` images at a time.

    `peak` is the split at the evaluation's own peak, None where nothing is observed.
    """

    epoch: int
    loss: float
    accuracy: float
    images: int
    batch_size: int
    peak: Split | None


class Noise(Message, frozen=True, tag="noise"):
    """How much the gradients of two batches differ, estimated from `images` before a step.

    `noise` is tr(Σ), the summed variance of the gradients of single images, and `signal` is |G|²,
    the squared norm of the gradient over all images: exponential moving means of so many
    `estimates` before consecutive steps, the last of them `step`, each weighing 0.95 times as much
    as the one after it. Their ratio is the simple
    noise `scale`, in images: the batch size beyond which more images in a batch gain little; `low`
    and `high` are the ends of its 90% confidence interval. All three are None while the signal
    cannot be told from zero. `peak` is the split at the estimate's own peak, in bytes.
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
    """The `largest` batch size of settings that ran out of memory that would have fitted `limit`.

    It comes some time after each `LessonOutOfMemory` of a step, unless another one comes before,
    and is predicted: no step was tried. `limit` is their budget or what the device had for them, in
    bytes. 0 is not even one image, None what cannot be told. On a CUDA device it fits from an empty
    cache, in whatever order memory is taken; up to `at_best` may fit in one of the orders.
    `unmodelled` are settings of the allocator that are not modelled, so that the numbers are
    estimates.
    """

    settings: Settings
    limit: int
    largest: int | None
    at_best: int | None = None
    unmodelled: tuple[str, ...] = ()


class Predicted(Message, frozen=True, tag="predicted"):
    """What a settled step with these settings will hold, on `device`; nothing was allocated.

    `allocator` is what a CUDA device's will say, its `reserved` to within a segment. `needed` are
    the bytes at which the budget of the settings is passed, None where they fit.
    """

    settings: Settings
    device: str
    anatomy: Anatomy
    allocator: AllocatorMemory | None
    needed: int | None
    unmodelled: tuple[str, ...] = ()


class Trying(Message, frozen=True, tag="trying"):
    """A search is about to take real steps of a batch size."""

    batch_size: int


class Tried(Message, frozen=True, tag="tried"):
    """A real step of a search: a batch size that fitted, or one that did not."""

    batch_size: int
    fits: bool


class Timed(Message, frozen=True, tag="timed"):
    """How fast plain steps of a batch size were, measured."""

    batch_size: int
    samples_per_second: float


class Found(Message, frozen=True, tag="found"):
    """The largest batch size that fits `budget` bytes, and four fifths of it.

    `limited_by` data means that all training images in one batch would still fit. `peak_at_max`
    and `peak_beyond` (that of one image more; None where the data ends) count what the budget
    counts: on a CUDA device what its allocator takes from the driver, elsewhere the bytes that the
    step asks for. `trial_steps` were real ones, `oom_trials` of them ran out of memory. `speeds`
    were measured at doubling sizes; `fast_batch_size` is the smallest of them within 5% of the
    best. `no_room` are those of all these sizes for which an allocator has no room although it has
    for the largest: the segments that it takes are cut up well for one size and badly for another.
    All steps add up `accumulation` batches.

    On a CUDA device the sizes were tried from an empty cache in so many `orders` of allocation: the
    largest fits in each of them. Up to `at_best` may fit in one of them, by prediction; None where
    there is no such size, or `unmodelled` settings of the allocator stand against a prediction.
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
    """A search is over and the training as it was before; None was found if it was called off."""

    found: Found | None


class Comparing(Message, frozen=True, tag="comparing"):
    """How far a comparison is: in run `number`, from 1, of `runs`, on `done` of `images` images."""

    batch_size: int
    number: int
    runs: int
    done: int
    images: int


class Compared(Message, frozen=True, tag="compared"):
    """A run of a comparison has ended: the `settings` trained on so many `images` from the start.

    `before` and `after` are the mean losses on the whole test data with the initial parameters and
    at the end, `accuracy` the share classified rightly then. The `anatomy` is that of a settled
    step. Timings, in seconds, are means over plain steps on full batches; None where there was
    none. A run that was out of memory has no results but the bytes that it `needed` at least, of a
    `limit`, None where the device does not tell.
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
    """A comparison is over, and the training as it was before; `complete` unless called off."""

    complete: bool


class Picture(Message, frozen=True, tag="picture"):
    """A training image, from the file to the model and back to what a screen can draw.

    `stages` begin with the uint8 tensor as it is stored, (C, H, W), then what the model gets:
    scaled, normalised by `normalisation` (mean and standard deviation), with the batch's dimension.
    The last two go back: de-normalised to uint8, and with the channels last, (H, W, C). `pixels`
    are the values of that last one, row by row.
    """

    index: int
    label: int
    class_name: str
    source: Source
    normalisation: tuple[float, float]
    stages: tuple[Stage, ...]
    pixels: bytes
