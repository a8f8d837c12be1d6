"""What any worker says: its device, its steps, what they held, and what went wrong."""

from __future__ import annotations

from typing import Literal

import msgspec
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.split import AllocatorMemory, Anatomy, Category, Phase, Split, Tensors

VERSION = 4


PACE_SECONDS = 0.25


class Message(msgspec.Struct, frozen=True, tag_field="type"):
    """Base of all that is sent, either way; `type` names it on the wire."""


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


class Hello(Message, frozen=True, tag="hello"):
    """The worker's first message."""

    version: int
    pid: int
    torch: str
    device: Device


class Sample(Message, frozen=True, tag="sample"):
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


class Measured(Message, frozen=True, tag="measured"):
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


class OutOfMemory(Message, frozen=True, tag="out_of_memory"):
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


class Flow(Message, frozen=True, tag="flow"):
    """Whether the training runs, is paused, or goes in slow motion."""

    paused: bool
    slow: bool


class Answer(Message, frozen=True, tag="answer"):
    """What became of a command: `error` is None if it was taken, else one line."""

    command: int
    error: str | None


class Note(Message, frozen=True, tag="note"):
    """A line for the log."""

    text: str


class Failed(Message, frozen=True, tag="failed"):
    """The worker cannot go on. `usage` says that what it was told was wrong (exit code 2)."""

    error: str
    usage: bool


class Ended(Message, frozen=True, tag="ended"):
    """The training reached its number of steps or was told to stop; both count from its start."""

    steps: int
    images: int
