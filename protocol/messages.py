"""What any worker says: its device, its program, its steps, what they held, what went wrong."""

from __future__ import annotations

from typing import Literal

import msgspec
from vramtop.protocol.split import AllocatorMemory, Anatomy, Category, Phase, Split, Tensors

VERSION = 5  # raised whenever a message changes its shape
PACE_SECONDS = 0.25


class Message(msgspec.Struct, frozen=True, tag_field="type"):
    """Base of all that is sent, either way; `type` names it on the wire."""


class Device(msgspec.Struct, frozen=True):
    """Where the program runs. `total_bytes` is the device's memory, the machine's for a CPU.

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
    """A row of the layer table; `output_shape` leaves out the output's first dimension.

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


class Expectation(msgspec.Struct, frozen=True):
    """The `bytes` that a formula gives for a category's high water.

    `formula` is its text, with numbers: "4 × 101,770".
    """

    category: Category
    formula: str
    bytes: int


class Difference(msgspec.Struct, frozen=True):
    """How many `bytes` a category's high water is above what was expected; below it, negative.

    `reasons` say why, each in fewer words than the one before; where there is no difference, what
    is remarkable in that. A difference without a reason is unexplained.
    """

    category: Category
    bytes: int
    reasons: tuple[str, ...] = ()


class Hello(Message, frozen=True, tag="hello"):
    """The worker's first message."""

    version: int
    pid: int
    torch: str
    device: Device


class Program(Message, frozen=True, tag="program"):
    """What runs now: sent at the start and after every change of it.

    `expected` has at most one row a category; of the others nothing is expected.
    """

    name: str
    device: Device
    layers: tuple[Layer, ...] = ()
    expected: tuple[Expectation, ...] = ()


class Sample(Message, frozen=True, tag="step", kw_only=True):
    """A step that has ended, or the boundary at which a paused one is held.

    `step_seconds` is None where nothing was timed yet, `loss` where there is none. `split` is None
    until a step like this one was measured; `resident` is the worker's resident memory in bytes.
    Where a step goes through a phase several times, `part` says in which of them it is held, from
    1.
    """

    step: int
    phase: Phase
    split: Split | None = None
    loss: float | None = None
    step_seconds: float | None = None
    resident: int | None = None
    part: int = 1


class Measured(Message, frozen=True, tag="step_measured", kw_only=True):
    """The anatomy of an instrumented step.

    `settled` is False for a first step, in which the optimizer's state does not exist yet when it
    begins. `allocator` is None on a device without one. `tensors` says what each category consists
    of at its high water, to the byte; empty where nobody tells. `differences` compare the high
    waters with what the program expects, a row for each of its expectations. `device_memory` is
    that of a CUDA device right after the step, for where NVML does not tell it.
    """

    step: int
    settled: bool
    anatomy: Anatomy
    allocator: AllocatorMemory | None = None
    tensors: dict[Category, Tensors] = {}
    differences: tuple[Difference, ...] = ()
    device_memory: DeviceMemory | None = None


class OutOfMemory(Message, frozen=True, tag="step_out_of_memory", kw_only=True):
    """A step that did not fit.

    In bytes: the allocation that failed, in `phase` and `operator`, `wanted` so many while there
    were `free` ones. With it there would have been `needed` of the `limit`, counted as the limit
    counts: on a CUDA device what its allocator takes from the driver, elsewhere what the step asks
    for. All four are None where the device does not tell. `split` is what the step held then.
    `operator` is "batch" where the input is too large by itself, and empty where nobody watched.
    Two phases are none of a step's: "model", where the model has no room on the device, and
    "evaluation". `detail` is PyTorch's own account.
    """

    phase: Phase | Literal["evaluation", "model"] | None
    operator: str
    split: Split
    detail: str
    needed: int | None = None
    limit: int | None = None
    wanted: int | None = None
    free: int | None = None


class Flow(Message, frozen=True, tag="flow"):
    """Whether the program runs, is paused, or goes in slow motion."""

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


class Ended(Message, frozen=True, tag="program_ended"):
    """The program has come to its end, or was told to stop, after so many steps of its own."""

    steps: int
