"""Messages that any worker sends: its device, its program, its steps, and what went wrong."""

from __future__ import annotations

from typing import Literal

import msgspec
from vramtop.protocol.split import AllocatorMemory, Anatomy, Category, Phase, Split, Tensors

VERSION = 5  # raised whenever a message changes its shape
PACE_SECONDS = 0.5


class Message(msgspec.Struct, frozen=True, tag_field="type"):
    """Base of all messages and commands; `type` names each on the wire."""


class Device(msgspec.Struct, frozen=True):
    """Where the program runs. `total_bytes` is the device's memory; for a CPU, the machine's.

    `uuid` is that of an NVIDIA GPU, as NVML writes it. `missing` is the reason where there is an
    NVIDIA driver but CUDA does not start. With `container`, `total_bytes` is what a container
    allows, which is less than the machine has.
    """

    name: str
    description: str
    total_bytes: int | None
    uuid: str | None = None
    missing: str | None = None
    container: bool = False


class DeviceMemory(msgspec.Struct, frozen=True):
    """The memory of a whole CUDA device, over all processes, as CUDA reports it; in bytes."""

    total: int
    free: int


class Layer(msgspec.Struct, frozen=True):
    """A row of the layer table. `output_shape` leaves out the batch dimension.

    `kind` is the class of the module. `parameters` is the number of `weights` and `biases`
    together, `bytes` their size.
    """

    name: str
    output_shape: tuple[int, ...]
    parameters: int
    bytes: int
    kind: str
    weights: int
    biases: int


class Expectation(msgspec.Struct, frozen=True):
    """The `bytes` that a formula gives for a category's high-water mark.

    `formula` is its text, with numbers: "4 × 101,770".
    """

    category: Category
    formula: str
    bytes: int


class Difference(msgspec.Struct, frozen=True):
    """By how many `bytes` a category's high-water mark exceeds the expectation; may be negative.

    `reasons` is one reason in several wordings, each shorter than the previous one. It is empty for
    a difference that is not explained. A difference of 0 can have a reason too.
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
    """The program that runs now, sent at the start and after every change.

    `expected` has at most one row for a category; a category without one has no expectation.
    """

    name: str
    device: Device
    layers: tuple[Layer, ...] = ()
    expected: tuple[Expectation, ...] = ()


class Sample(Message, frozen=True, tag="step", kw_only=True):
    """A step that has ended, or the boundary at which a paused one is held.

    `step_seconds` is None until a step was timed, `loss` where there is none. `split` is None until
    a step of this kind was recorded. `resident` is the worker's resident memory, in bytes. Where a
    phase comes several times in a step, `part` is the number of the present one, from 1.
    """

    step: int
    phase: Phase
    split: Split | None = None
    loss: float | None = None
    step_seconds: float | None = None
    resident: int | None = None
    part: int = 1


class Measured(Message, frozen=True, tag="step_measured", kw_only=True):
    """The anatomy of a recorded step.

    `settled` is False for a first step, which begins without the optimizer's state. `allocator` is
    None on a device without one. `tensors` has what each category consists of at its high-water
    mark; empty where that is not known. `differences` compare the high-water marks with what the
    program expects, a row for each expectation. `device_memory` is that of a CUDA device right
    after the step; it serves where NVML does not answer.
    """

    step: int
    settled: bool
    anatomy: Anatomy
    allocator: AllocatorMemory | None = None
    tensors: dict[Category, Tensors] = {}
    differences: tuple[Difference, ...] = ()
    device_memory: DeviceMemory | None = None


class OutOfMemory(Message, frozen=True, tag="step_out_of_memory", kw_only=True):
    """A step that ran out of memory in `phase` and `operator`.

    The failed allocation asked for `wanted` bytes when `free` bytes were left. It would have
    brought the total to `needed` bytes, more than the `limit`. Both count what the limit counts:
    on a CUDA device the bytes that its allocator takes from the driver, elsewhere the bytes that
    the step asks for. All four are None where they are not known. `split` is what the step held
    then.

    `operator` is "batch" where loading the batch failed, and empty where it is not known. Two
    phases are not a step's: "model", where the model itself has no room, and "evaluation".
    `detail` is the first line of the error.
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
    """The answer to a command: `error` is None if it was obeyed, else the reason in one line."""

    command: int
    error: str | None


class Note(Message, frozen=True, tag="note"):
    """A line for the log."""

    text: str


class Failed(Message, frozen=True, tag="failed"):
    """The worker cannot continue. `usage` says that its settings were wrong (exit code 2)."""

    error: str
    usage: bool


class Ended(Message, frozen=True, tag="program_ended"):
    """The program has ended, or was told to stop, after `steps` steps."""

    steps: int
