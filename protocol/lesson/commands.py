"""Commands that only the lesson's worker obeys."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType
from vramtop.protocol.lesson.settings import DatasetName, OptimizerName, Settings
from vramtop.protocol.messages import Message


class Start(Message, frozen=True, tag="start"):
    """The monitor's first message.

    The training ends after `steps` steps or `images` images; the last step takes no more images
    than are left. With `evaluate` the model is evaluated at that end too. With `every_step` every
    step sends a sample, and the training waits for a slow reader. Otherwise a newer sample replaces
    one that was not sent yet, and the training never waits.

    `observe` False trains without recorded steps. `train` False only predicts: no data is loaded
    and nothing is allocated on a device. `resume` continues from the latest snapshot on the
    worker's shelf; the settings must have its dataset, hidden width and optimizer. `free` has the
    free bytes of each GPU by its UUID, as far as they are known. Where the settings do not name one
    GPU, the one with the most free bytes is taken. `began` is when the session began, by
    `time.monotonic()` on this machine; None means the moment at which the worker reads this.
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
    """Use new settings from the next step on; fields that are unset stay as they are."""

    command: int
    batch_size: int | UnsetType = UNSET
    dataset: DatasetName | UnsetType = UNSET
    optimizer: OptimizerName | UnsetType = UNSET
    learning_rate: float | UnsetType | None = UNSET
    hidden: int | UnsetType = UNSET
    budget: int | UnsetType | None = UNSET
    accumulation: int | UnsetType = UNSET


class Reset(Message, frozen=True, tag="reset"):
    """Begin again at step 0 with the initial parameters. For the end see `Start`."""

    command: int
    settings: Settings
    steps: int | None = None
    images: int | None = None
    evaluate: bool = False


class ShowImage(Message, frozen=True, tag="show_image"):
    """Send a `Picture` of a training image. Without an `index` it is the next one."""

    command: int
    index: int | None = None


class Predict(Message, frozen=True, tag="predict"):
    """Predict what a step with these settings holds. Only for a worker that does not train."""

    command: int
    settings: Settings


class FindLargest(Message, frozen=True, tag="find_largest"):
    """Find the largest batch size that fits the budget, or the device's free memory.

    Afterwards the training continues unchanged.
    """

    command: int


class Compare(Message, frozen=True, tag="compare"):
    """Train with each of these settings on `images` images, from the initial parameters.

    All `runs` have the dataset and the device of the settings in force. Meanwhile the training
    waits and its memory is freed. Afterwards it continues unchanged.
    """

    command: int
    runs: tuple[Settings, ...]
    images: int


class CallOff(Message, frozen=True, tag="call_off"):
    """End a search or a comparison before it is complete."""

    command: int


class HandOver(Message, frozen=True, tag="hand_over"):
    """Put a snapshot of the training on the shelf, and hold the training until `GoOn` or `Stop`."""

    command: int


class GoOn(Message, frozen=True, tag="go_on"):
    """Continue the training after a `HandOver`, because no other process took it over."""

    command: int
