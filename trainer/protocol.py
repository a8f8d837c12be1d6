"""What the worker and the monitor say to each other.

No torch in here: any worker that speaks these messages can stand behind the screen.
"""

from __future__ import annotations

from typing import Literal, Union

import msgspec
from msgspec import UNSET, UnsetType

from .formula import Formula
from .settings import DatasetName, OptimizerName, Settings
from .split import AllocatorMemory, Anatomy, Category, Phase, Split, Tensors

Source = Literal["files", "sample", "synthetic"]
VERSION = 4
SLOW_SECONDS = 1.5
PACE_SECONDS = 0.25


class _Message(msgspec.Struct, frozen=True, tag_field="type"):
    pass


# ---- facts that messages carry ------------------------------------------------------------------


class Device(msgspec.Struct, frozen=True):
    """Where the training runs. `total_bytes` is the device's memory, the machine's for a CPU.

    `uuid` is that of an NVIDIA GPU, as NVML writes it. `missing` says why it is a CPU, where CUDA
    does not start although there is a driver. `container` says that the memory is less than the
    machine's: what a container allows.
    """

    name: str
    description: str
    total_bytes: int | None
    uuid: str | None = None
    missing: str | None = None
    container: bool = False


class DeviceMemory(msgspec.Struct, frozen=True):
    """What CUDA says of a whole device's memory, whoever holds it, in bytes."""

    total: int
    free: int


class Data(msgspec.Struct, frozen=True):
    """The images at hand. `source` says where they come from; synthetic ones are drawn."""

    source: Source
    description: str
    train_images: int
    test_images: int
    shape: tuple[int, int, int]
    classes: tuple[str, ...]


class Layer(msgspec.Struct, frozen=True):
    """A row of the layer table; `output_shape` is that of one image, without the batch.

    `kind` is the class of the module. `parameters` counts `weights` and `biases` together, `bytes`
    is what they take.
    """

    name: str
    output_shape: tuple[int, ...]
    parameters: int
    bytes: int
    kind: str
    weights: int
    biases: int


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


# ---- from the worker ----------------------------------------------------------------------------


class Hello(_Message, frozen=True, tag="hello"):
    """The worker's first message."""

    version: int
    pid: int
    torch: str
    device: Device


class Configured(_Message, frozen=True, tag="configured"):
    """The settings now in force, sent at the start and after every change.

    `fresh` says that the training begins with its initial parameters, at step 0.
    """

    settings: Settings
    device: Device
    data: Data
    layers: tuple[Layer, ...]
    formula: Formula
    fresh: bool = False


class Sample(_Message, frozen=True, tag="sample"):
    """A training step that has ended, or the boundary at which a paused one is held.

    `position` counts the images of this epoch that were trained on; `images` those since the
    session began. `batch_size` is the rows of this very step, all batches that it adds up together
    (the last of an epoch can be short); `part` says in which of those batches a step is held.
    Timings are in seconds; None where nothing was timed yet. `split` is None until the ledger has
    measured this setting; `resident` is the worker's resident memory in bytes.
    """

    step: int
    epoch: int
    position: int
    images: int
    batch_size: int
    loss: float | None
    phase: Phase
    split: Split | None
    step_seconds: float | None
    samples_per_second: float | None
    resident: int | None
    part: int = 1


class Measured(_Message, frozen=True, tag="measured"):
    """The anatomy of an instrumented step on `batch_size` rows, all its batches together.

    `settled` is False for the first step after a change of model or optimizer: the optimizer's
    state does not exist yet when it begins. `allocator` is None on a device without one. `tensors`
    says what each category consists of at its high water, to the byte; empty where nobody tells.
    `device_memory` is that of a CUDA device right after the step, for where NVML does not tell it.
    """

    step: int
    batch_size: int
    settled: bool
    anatomy: Anatomy
    allocator: AllocatorMemory | None
    tensors: dict[Category, Tensors] = {}
    device_memory: DeviceMemory | None = None


class Evaluated(_Message, frozen=True, tag="evaluated"):
    """The test data, seen once at the end of an epoch or of all, `batch_size` images at a time.

    `peak` is the split at the evaluation's own peak, None where nothing is observed.
    """

    epoch: int
    loss: float
    accuracy: float
    images: int
    batch_size: int
    peak: Split | None


class Noise(_Message, frozen=True, tag="noise"):
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


class OutOfMemory(_Message, frozen=True, tag="out_of_memory"):
    """A step that did not fit. `restored` is the batch size that goes on, None if none does.

    In bytes: the allocation that failed, in `phase` and `operator`, `wanted` so many while there
    were `free` ones. With it there would have been `needed` of the `limit`, counted as the budget
    counts: on a CUDA device what its allocator takes from the driver, elsewhere what the step asks
    for. All four are None where the device does not tell. `split` is what the step held then.
    `operator` is "batch" where the batch is too large by itself, and empty where nobody watched.
    The phase "model" is none of a step's: what has no room is the model, on its way to the device.

    The step added up `accumulation` batches. The settings that go on are `back`, with all that was
    learned; in an evaluation nothing but `restored` changes. `detail` is PyTorch's own account.
    """

    batch_size: int
    needed: int | None
    limit: int | None
    phase: Phase | Literal["evaluation", "model"] | None
    operator: str
    split: Split
    restored: int | None
    detail: str
    wanted: int | None = None
    free: int | None = None
    accumulation: int = 1
    back: Settings | None = None


class WouldFit(_Message, frozen=True, tag="would_fit"):
    """The `largest` batch size of settings that ran out of memory that would have fitted `limit`.

    It comes some time after each `OutOfMemory` of a step, unless another one comes before, and is
    foretold: no step was tried. `limit` is their budget or what the device had for them, in bytes.
    0 is not even one image, None what cannot be told. On a CUDA device it fits from an empty cache,
    in whatever order memory is taken; up to `at_best` may fit in one of the orders. `unmodelled`
    are settings of the allocator that are not modelled, so that the numbers are estimates.
    """

    settings: Settings
    limit: int
    largest: int | None
    at_best: int | None = None
    unmodelled: tuple[str, ...] = ()


class Predicted(_Message, frozen=True, tag="predicted"):
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


class Trying(_Message, frozen=True, tag="trying"):
    """A search is about to take real steps of a batch size."""

    batch_size: int


class Tried(_Message, frozen=True, tag="tried"):
    """A real step of a search: a batch size that fitted, or one that did not."""

    batch_size: int
    fits: bool


class Timed(_Message, frozen=True, tag="timed"):
    """How fast plain steps of a batch size were, measured."""

    batch_size: int
    samples_per_second: float


class Found(_Message, frozen=True, tag="found"):
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


class SearchEnded(_Message, frozen=True, tag="search_ended"):
    """A search is over and the training as it was before; None was found if it was called off."""

    found: Found | None


class Comparing(_Message, frozen=True, tag="comparing"):
    """How far a comparison is: in run `number`, from 1, of `runs`, on `done` of `images` images."""

    batch_size: int
    number: int
    runs: int
    done: int
    images: int


class Compared(_Message, frozen=True, tag="compared"):
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


class ComparisonEnded(_Message, frozen=True, tag="comparison_ended"):
    """A comparison is over, and the training as it was before; `complete` unless called off."""

    complete: bool


class Flow(_Message, frozen=True, tag="flow"):
    """Whether the training runs, is paused, or goes in slow motion."""

    paused: bool
    slow: bool


class Answer(_Message, frozen=True, tag="answer"):
    """What became of a command: `error` is None if it was taken, else one line."""

    command: int
    error: str | None


class Note(_Message, frozen=True, tag="note"):
    """A line for the log."""

    text: str


class Picture(_Message, frozen=True, tag="picture"):
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


class Failed(_Message, frozen=True, tag="failed"):
    """The worker cannot go on. `usage` says that what it was told was wrong (exit code 2)."""

    error: str
    usage: bool


class Ended(_Message, frozen=True, tag="ended"):
    """The training reached its number of steps or was told to stop; both count from its start."""

    steps: int
    images: int


FromWorker = Union[
    Hello,
    Configured,
    Sample,
    Measured,
    Evaluated,
    Noise,
    OutOfMemory,
    WouldFit,
    Predicted,
    Trying,
    Tried,
    Timed,
    SearchEnded,
    Comparing,
    Compared,
    ComparisonEnded,
    Flow,
    Answer,
    Note,
    Picture,
    Failed,
    Ended,
]

# ---- to the worker ------------------------------------------------------------------------------


class Start(_Message, frozen=True, tag="start"):
    """The monitor's first message.

    `steps` ends the training after so many, `images` after exactly so many: its last step takes no
    more than are left. With `evaluate` the test data is seen at that end too. `every_step` asks
    for each step's sample, and the training waits for a slow reader; otherwise only the latest
    counts and nothing ever waits.
    `observe` False trains without a single instrumented step; `train` False only predicts, without
    data and without anything on a device. `resume` goes on from the latest snapshot on the worker's
    shelf, whose dataset, hidden width and optimizer the settings have. `free` are the bytes free on
    each GPU by its UUID, as far as they are known: where the device is left open, the one with most
    is taken.
    """

    version: int
    settings: Settings
    steps: int | None = None
    images: int | None = None
    evaluate: bool = False
    every_step: bool = False
    observe: bool = True
    train: bool = True
    resume: bool = False
    free: dict[str, int] = {}


class Change(_Message, frozen=True, tag="change"):
    """New settings from the next step on; what is unset stays."""

    command: int
    batch_size: int | UnsetType = UNSET
    dataset: DatasetName | UnsetType = UNSET
    optimizer: OptimizerName | UnsetType = UNSET
    learning_rate: float | UnsetType | None = UNSET
    hidden: int | UnsetType = UNSET
    budget: int | UnsetType | None = UNSET
    accumulation: int | UnsetType = UNSET


class Pause(_Message, frozen=True, tag="pause"):
    """Hold the training at the next boundary, or let it go on."""

    command: int
    paused: bool


class Advance(_Message, frozen=True, tag="advance"):
    """Pause, and go on by one phase."""

    command: int


class SlowMotion(_Message, frozen=True, tag="slow_motion"):
    """Hold every boundary for so many seconds, or stop doing so."""

    command: int
    slow: bool
    seconds: float = SLOW_SECONDS


class Reset(_Message, frozen=True, tag="reset"):
    """Begin again with the initial parameters, at step 0, up to the end that `Start` tells of."""

    command: int
    settings: Settings
    steps: int | None = None
    images: int | None = None
    evaluate: bool = False


class GiveBack(_Message, frozen=True, tag="give_back"):
    """Give the allocator's cache back to the driver; a `Note` tells how much that was."""

    command: int


class ShowImage(_Message, frozen=True, tag="show_image"):
    """Send a `Picture` of a training image; without an `index`, of the one after the last shown."""

    command: int
    index: int | None = None


class Predict(_Message, frozen=True, tag="predict"):
    """Say what these settings will hold; for a worker that only predicts."""

    command: int
    settings: Settings


class FindLargest(_Message, frozen=True, tag="find_largest"):
    """Find the largest batch size that fits the budget, or the device's free memory.

    The training goes on afterwards as if nothing had been.
    """

    command: int


class Compare(_Message, frozen=True, tag="compare"):
    """Train with each of these settings on so many `images`, from the initial parameters on.

    All `runs` have the dataset and the device of the settings in force. The training waits
    meanwhile, its memory given back, and goes on afterwards as if nothing had been.
    """

    command: int
    runs: tuple[Settings, ...]
    images: int


class CallOff(_Message, frozen=True, tag="call_off"):
    """End a search before it has found anything, or a comparison before its last run."""

    command: int


class Pace(_Message, frozen=True, tag="pace"):
    """Send what nobody waits for, such as samples, at most once in so many seconds.

    A worker that is not told does so in `PACE_SECONDS`.
    """

    command: int
    seconds: float


class HandOver(_Message, frozen=True, tag="hand_over"):
    """Put the training on the shelf as it is, and hold it until `GoOn` or `Stop`."""

    command: int


class GoOn(_Message, frozen=True, tag="go_on"):
    """Nobody took the training over: go on with it."""

    command: int


class Stop(_Message, frozen=True, tag="stop"):
    """End the session."""


ToWorker = Union[
    Start,
    Change,
    Pause,
    Advance,
    SlowMotion,
    Reset,
    GiveBack,
    ShowImage,
    Predict,
    FindLargest,
    Compare,
    CallOff,
    Pace,
    HandOver,
    GoOn,
    Stop,
]
