"""What the observer records of a step: plain values, of numbers, strings and nothing else.

Sizes are bytes as asked for. A storage is named by its place in `StepLog.storages`, the run of an
operator by its place in `StepLog.operators`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

Phase = Literal["load", "forward", "backward", "optimizer", "zero_grad"]
Owner = Literal["parameters", "gradients", "optimizer_state", "batch_data"]

# ---- what a step held -----------------------------------------------------------------------


class StorageRecord(NamedTuple):
    """A storage from the moment it was noticed to its end.

    `key` tells it from all others that were alive with it. It was made in the phase `born` (None if
    it is older than the step) by the operator's run number `run`, and given back in the phase
    `gone` (None if it was alive at the end). `owner` and `name` are None unless it belongs to
    somebody. `shape` and `dtype`, whose elements take `itemsize` bytes, are those of the tensor
    that was first seen in it, or that it belongs to; None where none was seen. One born in forward
    has `survived_forward` if it was alive at forward's end.
    """

    key: int
    born: Phase | None
    gone: Phase | None
    run: int
    owner: Owner | None
    name: str | None
    shape: tuple[int, ...] | None
    dtype: str | None
    itemsize: int | None
    survived_forward: bool


# A storage, by how many bytes it changed, and the run of an operator that this belongs to.
Change: TypeAlias = tuple[int, int, int]


class PhaseLog(NamedTuple):
    """A phase and the changes within it, in order."""

    phase: Phase
    changes: list[Change]


class LogPosition(NamedTuple):
    """A place between changes: the number of the phase, and how many of its changes come before."""

    phase: int
    changes: int


class StepLog(NamedTuple):
    """A whole step.

    `start` has the storages that it began with, and their bytes. `operators` has the name of each
    run of an operator as PyTorch's dispatcher writes it, or "batch" where the batch was declared;
    it is empty for what no operator did. `loss` is where the loss began, None if nobody told.
    """

    storages: list[StorageRecord]
    start: list[tuple[int, int]]
    phases: list[PhaseLog]
    operators: list[str]
    loss: LogPosition | None


class HeldStorage(NamedTuple):
    """A storage that is alive at some moment, as `StorageRecord` has it if forward ended then."""

    owner: Owner | None
    survived_forward: bool
    bytes: int


# ---- what the allocator said of it ----------------------------------------------------------


class Boundary(NamedTuple):
    """An allocator's live bytes at the end of a phase: as asked for (if it tells), and as given."""

    phase: Phase
    requested: int | None
    allocated: int


class AllocatorFigures(NamedTuple):
    """What the allocator said of a step, in bytes; None is what it does not tell.

    At the step's end it had `reserved` bytes from the driver, of which `inactive` lay between live
    blocks. Both peaks are within the step. Since the process began it gave back its cache to serve
    `retries` requests, and denied `denied` requests.
    """

    boundaries: list[Boundary]
    reserved: int
    inactive: int | None = None
    allocated_peak: int | None = None
    requested_peak: int | None = None
    retries: int | None = None
    denied: int | None = None


class Event(NamedTuple):
    """An allocation, or a release, of a block of so many bytes as were asked for."""

    freed: bool
    address: int
    size: int


class History(NamedTuple):
    """The allocator's trace: events since the step began, and the blocks alive at its end.

    Of the blocks: bytes as asked for, by address.
    """

    events: list[Event]
    blocks: dict[int, int]


class AllocatorRecord(NamedTuple):
    """All that an allocator told of a step.

    Where it has a trace but `history` is None, `missing` says why, in one line.
    """

    figures: AllocatorFigures
    history: History | None = None
    missing: str = ""


# ---- what belongs to the allocator's trace --------------------------------------------------


class Sighting(NamedTuple):
    """A storage that was alive at `place`, in phase number `phase`, and its address.

    Place n is between event n - 1 of the trace and event n. The storage counts from its
    allocation, a `declared` one from here on.
    """

    place: int
    phase: int
    address: int
    storage: int
    declared: bool


class OperatorRun(NamedTuple):
    """The run of an operator in phase number `phase`, from the end of what was before it."""

    phase: int
    begin: int
    end: int
    run: int


class TraceNotes(NamedTuple):
    """What a step noted by places in the allocator's trace; `ends` has each phase and its end.

    `loss` is the place at which the loss began.
    """

    sightings: list[Sighting]
    runs: list[OperatorRun]
    ends: list[tuple[Phase, int]]
    loss: int | None = None
