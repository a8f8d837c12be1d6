"""The records of a step: plain values that consist of numbers and strings.

Sizes are bytes as asked for. A storage is given by its index in `StepLog.storages`, a run of an
operator by its index in `StepLog.operators`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

Phase = Literal["load", "forward", "backward", "optimizer", "zero_grad"]
Owner = Literal["parameters", "gradients", "optimizer_state", "batch_data"]

# ---- what a step held -----------------------------------------------------------------------


class StorageRecord(NamedTuple):
    """A storage of a step.

    `key` differs from that of every storage alive at the same time. The storage was made in the
    phase `born` (None if it is older than the step) by the run `run`, and released in the phase
    `gone` (None if it was alive at the end). `owner` and `name` are None where it has no owner.
    `shape`, `dtype` and `itemsize` (bytes of an element) are those of its owner's tensor, else of
    the first tensor seen in it; None where none was seen. `survived_forward` is True if forward
    made it and it was alive at forward's end.
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


# A storage, the bytes that it grew by (negative: shrank), and the run that this belongs to.
Change: TypeAlias = tuple[int, int, int]


class PhaseLog(NamedTuple):
    """A phase and the changes within it, in order."""

    phase: Phase
    changes: list[Change]


class LogPosition(NamedTuple):
    """A position between changes: the phase's number, and how many of its changes come before."""

    phase: int
    changes: int


class StepLog(NamedTuple):
    """A whole step.

    `start` has the storages that it began with, and their bytes. `operators` has the name of the
    operator of each run, as PyTorch's dispatcher writes it. It is "batch" where the batch was
    declared, and empty for a run that stands for no operator. `loss` is where the loss began, None
    if that is not known.
    """

    storages: list[StorageRecord]
    start: list[tuple[int, int]]
    phases: list[PhaseLog]
    operators: list[str]
    loss: LogPosition | None


class HeldStorage(NamedTuple):
    """A storage alive at some moment; in forward, everything made there has survived so far."""

    owner: Owner | None
    survived_forward: bool
    bytes: int


# ---- the allocator's figures and trace ----------------------------------------------------------


class Boundary(NamedTuple):
    """Live bytes at the end of a phase. `requested` is None where it is not reported."""

    phase: Phase
    requested: int | None
    allocated: int


class AllocatorFigures(NamedTuple):
    """An allocator's figures for a step, in bytes; None where it does not report one.

    At the step's end the allocator had `reserved` bytes from the driver, of which `inactive` were
    free but lay between live blocks. Both peaks are within the step. Since the process began,
    `retries` requests succeeded only after the cache was given back, and `denied` requests failed.
    """

    boundaries: list[Boundary]
    reserved: int
    inactive: int | None = None
    allocated_peak: int | None = None
    requested_peak: int | None = None
    retries: int | None = None
    denied: int | None = None


class Event(NamedTuple):
    """The allocation or release of a block, for which `size` bytes were asked."""

    freed: bool
    address: int
    size: int


class History(NamedTuple):
    """The allocator's trace: events since the step began, and the blocks alive at its end.

    `blocks` has bytes by address.
    """

    events: list[Event]
    blocks: dict[int, int]


class AllocatorRecord(NamedTuple):
    """An allocator's figures for a step, and its trace.

    Where it should have a trace but `history` is None, `missing` is the reason in one line.
    """

    figures: AllocatorFigures
    history: History | None = None
    missing: str = ""


# ---- notes that refer to places in the trace --------------------------------------------------


class Sighting(NamedTuple):
    """A storage that was alive at `place`, in phase number `phase`, at `address`.

    Place n lies between event n - 1 of the trace and event n. The storage counts from its
    allocation; with `declared`, only from this place on.
    """

    place: int
    phase: int
    address: int
    storage: int
    declared: bool


class OperatorRun(NamedTuple):
    """A run of an operator in phase number `phase`, between two places."""

    phase: int
    begin: int
    end: int
    run: int


class TraceNotes(NamedTuple):
    """A step's notes, which refer to places in the allocator's trace.

    `ends` has each phase and the place of its end. `loss` is the place where the loss began.
    """

    sightings: list[Sighting]
    runs: list[OperatorRun]
    ends: list[tuple[Phase, int]]
    loss: int | None = None
