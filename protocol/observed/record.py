"""What the observer inside a program says, as JSON: who it is, watched steps, and its end.

A frame is four bytes of length, most significant first, and the JSON of one message. The observer
imports nothing of ours, so it writes these fields as plain dictionaries; a test decodes each kind.

A place is a number of allocations and releases since the window began: place n lies between event
n - 1 and event n. Sizes are bytes as asked for, times seconds.
"""

from __future__ import annotations

from typing import Literal, Union

import msgspec

from .pools import Level, Pool

VERSION = 4  # raised whenever one of these messages changes its shape

Owner = Literal["parameters", "gradients", "optimizer_state", "batch_data"]
Kind = Literal["training", "inference"]
MarkKind = Literal[
    "period", "call", "call_end", "backward", "backward_end", "optimizer", "optimizer_end"
]


class Message(msgspec.Struct, frozen=True, tag_field="type", forbid_unknown_fields=True):
    """Base of all that an observer says; `type` names it."""


class Observed(Message, frozen=True, tag="observed", kw_only=True):
    """The observer's first message.

    `program` is the script's name, `arguments` the whole command line. The ranks are None outside a
    distributed training. `since_start` says that the observer saw the first allocation.
    """

    version: int
    pid: int
    host: str
    program: str
    arguments: tuple[str, ...]
    python: str
    torch: str
    since_start: bool
    rank: int | None = None
    world_size: int | None = None
    local_rank: int | None = None


class Events(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The allocations and releases of a window, in order: one place of each list an event.

    A release has a negative size. `lines` and `modules` are places in the lists of the same name of
    the watched step: the line of the program that allocated, and the module that was running; -1
    where none is known. A release has -1.
    """

    addresses: tuple[int, ...]
    sizes: tuple[int, ...]
    lines: tuple[int, ...]
    modules: tuple[int, ...]


class Mark(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Something happened at `place`, and what the allocator had then, in bytes.

    `requested`, `allocated` and `reserved` are None on a device whose allocator does not tell.
    """

    place: int
    kind: MarkKind
    requested: int | None = None
    allocated: int | None = None
    reserved: int | None = None


class Sighting(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """At `place` something belonged to an owner: the memory at `address`.

    `name` is a place in the watched step's `names`; `key` says which of an optimizer's tensors it
    is, as "exp_avg", and is empty otherwise.
    """

    place: int
    address: int
    owner: Owner
    name: int
    key: str = ""


class Name(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What an owner calls a tensor: the path of a parameter, or "inputs[0]".

    `trained` is False for a buffer and for a frozen parameter. `view` says that the tensor has
    another size than the memory beneath it.
    """

    path: str
    shape: tuple[int, ...]
    dtype: str
    itemsize: int
    trained: bool = False
    buffer: bool = False
    view: bool = False


class Module(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A module by its path from the outermost one (empty for that itself), and its class."""

    path: str
    kind: str


class Input(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tensor that went into the outermost call."""

    dtype: str
    shape: tuple[int, ...]


class Hardware(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A GPU: what CUDA calls it, its UUID without a prefix, and its memory in bytes."""

    name: str
    uuid: str
    total_bytes: int


class WatchedStep(Message, frozen=True, tag="watched_step", kw_only=True):
    """Two periods of one kind, recorded together, on one device. The second counts.

    Marks, events and sightings are those of both periods: the first mark is the first period's, the
    last one the second's end, at the last event. The second period begins at the place `cut`, and
    took `seconds`. `number` is that of the watched step, from 1; several devices of one
    window share it. `blocks` are those alive at the window's end, as address and size, and
    `block_lines` the lines that allocated them, -1 where that is not known; it may be empty.
    `tensors` are addresses of memory that Python's tensors hold, empty where nobody looked.
    `workspace_sizes` are the sizes of a cuBLAS workspace on this device. `optimizer` is the class
    of the one whose steps they are, empty where there is none, `hardware` is None for a CPU.
    `bucket_sizes` are those of the buffers in which DistributedDataParallel exchanges
    gradients, `autocast_sizes` those of the copies that autocast has of parameters, if it is
    enabled at the window's end. With `bucket_views` all gradients lie in such buffers.

    `recomputed` and `single` are places in `modules`: of those that were called in the second
    period's backward passes too, and of those of which each call returned one tensor.

    Of the whole GPU `cuda_free` bytes of `cuda_total` were free when the step had ended, as CUDA
    says; None where that was not asked, or the allocator had changed meanwhile.
    """

    number: int
    device: str
    kind: Kind
    source: Literal["trace", "operators"]
    cut: int
    seconds: float
    inputs: tuple[Input, ...]
    marks: tuple[Mark, ...]
    events: Events
    blocks: tuple[tuple[int, int], ...]
    sightings: tuple[Sighting, ...]
    names: tuple[Name, ...]
    lines: tuple[str, ...]
    modules: tuple[Module, ...]
    block_lines: tuple[int, ...] = ()
    optimizer: str = ""
    hardware: Hardware | None = None
    tensors: tuple[int, ...] = ()
    workspace_sizes: tuple[int, ...] = ()
    bucket_sizes: tuple[int, ...] = ()
    autocast_sizes: tuple[int, ...] = ()
    bucket_views: bool = False
    recomputed: tuple[int, ...] = ()
    single: tuple[int, ...] = ()
    cuda_free: int | None = None
    cuda_total: int | None = None


class Progress(Message, frozen=True, tag="progress", kw_only=True):
    """How the program goes on: sent a few times a second while somebody watches.

    `steps` have passed since the observer came, None where no optimizer steps, since calls are not
    counted. `step_seconds` is the median of those that were not watched, None before there was one.
    Somebody has watched for so many `seconds`, of which watching took `watching_seconds`, by the
    observer's own measurement. `pools` were read when the machine's monotonic clock showed `clock`
    seconds. `pinned` are the bytes of the host's memory that PyTorch has pinned for CUDA, None
    where it does not tell. `levels` has the GPUs on which an optimizer has stepped since.
    """

    steps: int | None
    watched: int
    step_seconds: float | None
    seconds: float
    watching_seconds: float
    clock: float = 0.0
    pools: tuple[Pool, ...] = ()
    pinned: int | None = None
    levels: tuple[Level, ...] = ()


class Missing(Message, frozen=True, tag="missing"):
    """A step could not be recorded; the reason in one line."""

    reason: str


class Segment(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Memory that the allocator had from the driver in one piece, in bytes.

    It serves one stream, and small or large requests. A private one serves only what asks for its
    pool, such as a CUDA graph. One that is expandable grows, and has no size of its own.
    """

    size: int
    stream: int
    kind: Literal["small", "large"]
    private: bool
    expandable: bool


class Block(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A part of the segment of this number, in bytes: in use, or free where `requested` is 0.

    One that waits for another stream is in use. `line` is a place in the message's `lines`, -1
    where that is not known.
    """

    segment: int
    address: int
    size: int
    requested: int
    line: int


class OutOfMemory(Message, frozen=True, tag="out_of_memory", kw_only=True):
    """A request that the allocator had to deny, in bytes, and what there was before it failed.

    It is the latest of `count` on this device since somebody watches; a newer one may come in the
    place of those before it.

    `wanted` is what the allocator asked the driver for: the request in whole segments. The process
    may have up to `limit`, which is the device's total unless the program set less; `free` is what
    it could still have had. `reserved` is what its allocator had from the driver, `requested` what
    of that was in use. `parameters`, `optimizer_state` and `gradients` are in use too, each memory
    once; gradients are None where a backward pass of another thread might have changed them.

    `line` made the request; in a backward pass it may be the one that called for that. `module` is
    the innermost one that ran, or, where `operator` names a part of the backward pass, the one
    whose parameters that uses. `phase` is "outside" where it is not known. `steps` are those made
    since the observer came, None where there is no optimizer. `inputs` went into the outermost
    call, where that is known. `optimizer` stepped, `new_state` says that it made the state of
    parameters that had none. `differentiable` says that what forward made could be differentiated,
    `evaluates` that the outermost module was in evaluation mode.

    `sightings` say whose the memory at an address is. The request was made on `stream`. `uuid` is
    the GPU's, without a prefix, empty where PyTorch does not tell.
    """

    device: str
    wanted: int
    free: int
    limit: int
    device_free: int
    device_total: int
    reserved: int
    requested: int
    parameters: int
    optimizer_state: int
    gradients: int | None
    line: str
    count: int = 1
    phase: Literal["load", "forward", "backward", "optimizer", "outside"] = "outside"
    module: Module | None = None
    operator: str = ""
    steps: int | None = None
    inputs: tuple[Input, ...] = ()
    uuid: str = ""
    optimizer: str = ""
    new_state: bool = False
    differentiable: bool = True
    evaluates: bool = False
    stream: int = 0
    segments: tuple[Segment, ...] = ()
    blocks: tuple[Block, ...] = ()
    sightings: tuple[Sighting, ...] = ()
    names: tuple[Name, ...] = ()
    lines: tuple[str, ...] = ()


class Holder(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Who holds the memory at an address: "history in train.py", or empty where nobody is found."""

    address: int
    what: str


class Holders(Message, frozen=True, tag="holders"):
    """The answer to `Who`, for all who watch."""

    device: str
    holders: tuple[Holder, ...]


class Removed(Message, frozen=True, tag="removed"):
    """The observer has removed itself, since something went wrong in it; the program goes on."""

    reason: str


class Ended(Message, frozen=True, tag="ended"):
    """The program's process ends."""


FromObserver = Union[Observed, WatchedStep, Progress, Missing, OutOfMemory, Holders, Removed, Ended]


class Watch(msgspec.Struct, frozen=True, tag_field="type", tag="watch"):
    """Watch steps from now on, until the socket is closed.

    An observer of another version closes it at once.
    """

    version: int = VERSION


class Who(msgspec.Struct, frozen=True, tag_field="type", tag="who"):
    """Look for who holds the memory at these addresses; only who watches is answered."""

    device: str
    addresses: tuple[int, ...]


ToObserver = Union[Watch, Who]
