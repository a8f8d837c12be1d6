"""What only the lesson's worker can be told."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType
from vramtop.protocol.lesson.settings import DatasetName, OptimizerName, Settings
from vramtop.protocol.messages import Message


class Start(Message, frozen=True, tag="start"):
    """The monitor's first message.

    `steps` ends the training after so many, `images` after exactly so many: its last step takes no
    more than are left. With `evaluate` the test data is seen at that end too. `every_step` asks
    for each step's sample, and the training waits for a slow reader; otherwise only the latest
    counts and nothing ever waits.
    `observe` False trains without a single instrumented step; `train` False only predicts, without
    data and without anything on a device. `resume` goes on from the latest snapshot on the worker's
    shelf, whose dataset, hidden width and optimizer the settings have. `free` are the bytes free on
    each GPU by its UUID, as far as they are known: where the device is left open, the one with most
    is taken. `began` is when the session began, by `time.monotonic()` on this machine; None is when
    the worker reads this.
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
    free: dict[str, int] = msgspec.field(default_factory=dict)
    began: float | None = None


class Change(Message, frozen=True, tag="change"):
    """New settings from the next step on; what is unset stays."""

    command: int
    batch_size: int | UnsetType = UNSET
    dataset: DatasetName | UnsetType = UNSET
    optimizer: OptimizerName | UnsetType = UNSET
    learning_rate: float | UnsetType | None = UNSET
    hidden: int | UnsetType = UNSET
    budget: int | UnsetType | None = UNSET
    accumulation: int | UnsetType = UNSET


class Reset(Message, frozen=True, tag="reset"):
    """Begin again with the initial parameters, at step 0, up to the end that `Start` tells of."""

    command: int
    settings: Settings
    steps: int | None = None
    images: int | None = None
    evaluate: bool = False


class ShowImage(Message, frozen=True, tag="show_image"):
    """Send a `Picture` of a training image; without an `index`, of the one after the last shown."""

    command: int
    index: int | None = None


class Predict(Message, frozen=True, tag="predict"):
    """Say what these settings will hold; for a worker that only predicts."""

    command: int
    settings: Settings


class FindLargest(Message, frozen=True, tag="find_largest"):
    """Find the largest batch size that fits the budget, or the device's free memory.

    The training goes on afterwards as if nothing had been.
    """

    command: int


class Compare(Message, frozen=True, tag="compare"):
    """Train with each of these settings on so many `images`, from the initial parameters on.

    All `runs` have the dataset and the device of the settings in force. The training waits
    meanwhile, its memory given back, and goes on afterwards as if nothing had been.
    """

    command: int
    runs: tuple[Settings, ...]
    images: int


class CallOff(Message, frozen=True, tag="call_off"):
    """End a search before it has found anything, or a comparison before its last run."""

    command: int


class HandOver(Message, frozen=True, tag="hand_over"):
    """Put the training on the shelf as it is, and hold it until `GoOn` or `Stop`."""

    command: int


class GoOn(Message, frozen=True, tag="go_on"):
    """Nobody took the training over: go on with it."""

    command: int
