"""The records of a step that accounting reads. An observer's plain values have the same form.

Sizes are bytes as asked for. A storage is given by its index in `StepLog.storages`, a run of an
operator by its index in `StepLog.operators`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

from vramtop.protocol.split import Category, Phase

# A storage, the bytes that it grew by (negative: shrank), and the run that this belongs to.
Change: TypeAlias = tuple[int, int, int]

# A phase and the changes within it, in order.
PhaseLog: TypeAlias = tuple[Phase, Sequence[Change]]

# A position between changes: the number of the phase, and how many of its changes come before.
LogPosition: TypeAlias = tuple[int, int]

# A storage alive at some moment: its owner, whether it survived forward, and its bytes.
HeldStorage: TypeAlias = tuple[Category | None, bool, int]


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
    owner: Category | None = None
    name: str | None = None
    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    itemsize: int | None = None
    survived_forward: bool = False


class StepLog(NamedTuple):
    """A whole step.

    `start` has the storages that it began with, and their bytes. `operators` has the name of the
    operator of each run; it is empty for a run that stands for no operator. `loss` is where the
    loss began, None if that is not known.
    """

    storages: Sequence[StorageRecord]
    start: Sequence[tuple[int, int]]
    phases: Sequence[PhaseLog]
    operators: Sequence[str]
    loss: LogPosition | None = None


# Place n in an allocator's trace lies between event n - 1 and event n.


class StepTrace(NamedTuple):
    """The allocator's trace of a step, and the step's notes, which refer to places in the trace.

    From the trace: `events` are allocations and releases, each as (whether it is a release,
    address, bytes). `blocks` are those alive at the step's end, bytes by address.

    From the notes: `sightings` are storages seen alive, each as (place, number of the phase,
    address, storage, whether it counts only from that place on instead of from its allocation).
    `runs` are runs of operators, each as (number of the phase, begin, end, run). `ends` has each
    phase and the place of its end. `loss` is the place where the loss began.
    """

    events: Sequence[tuple[bool, int, int]]
    blocks: Mapping[int, int]
    sightings: Sequence[tuple[int, int, int, int, bool]]
    runs: Sequence[tuple[int, int, int, int]]
    ends: Sequence[tuple[Phase, int]]
    loss: int | None = None


class AllocatorFigures(NamedTuple):
    """An allocator's figures for a step, in bytes; None where it does not report one.

    `boundaries` has the live bytes at the end of each phase, as requested and as allocated. At the
    step's end the allocator had `reserved` bytes from the driver, of which `inactive` were free but
    lay between live blocks. Both peaks are within the step. Since the process began, `retries`
    requests succeeded only after the cache was given back, and `denied` requests failed.
    """

    boundaries: Sequence[tuple[Phase, int | None, int]]
    reserved: int
    inactive: int | None = None
    allocated_peak: int | None = None
    requested_peak: int | None = None
    retries: int | None = None
    denied: int | None = None
