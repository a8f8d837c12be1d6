"""What accounting reads of a recorded step. An observer's plain values fit as they are.

Sizes are bytes as asked for. A storage is named by its place in `StepLog.storages`, the run of an
operator by its place in `StepLog.operators`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

from vramtop.protocol.split import Category, Phase

# A storage, by how many bytes it changed, and the run of an operator that this belongs to.
Change: TypeAlias = tuple[int, int, int]

# A phase and the changes within it, in order.
PhaseLog: TypeAlias = tuple[Phase, Sequence[Change]]

# A place between changes: the number of the phase, and how many of its changes come before.
LogPosition: TypeAlias = tuple[int, int]

# A storage that is alive at some moment: its owner, whether it survived forward, and its bytes.
HeldStorage: TypeAlias = tuple[Category | None, bool, int]


class StorageRecord(NamedTuple):
    """A storage from the moment it was noticed to its end.

    `key` tells it from all others that were alive with it. It was made in the phase `born` (None if
    it is older than the step) by the operator's run number `run`, and given back in the phase
    `gone` (None if it was alive at the end). `owner` and `name` are None unless it belongs to
    somebody. `shape` and `dtype`, whose elements take `itemsize` bytes, are those of the tensor
    that was first seen in it, or that it belongs to; None where none was seen.
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

    `start` has the storages that it began with, and their bytes. `operators` has the name of each
    run of an operator, empty for what no operator did. `loss` is where the loss began, None if
    nobody told.
    """

    storages: Sequence[StorageRecord]
    start: Sequence[tuple[int, int]]
    phases: Sequence[PhaseLog]
    operators: Sequence[str]
    loss: LogPosition | None = None


# Place n in an allocator's trace is between event n - 1 and event n.


class StepTrace(NamedTuple):
    """What the allocator's trace has of a step, and what the step noted by places in it.

    `events` are allocations and releases: whether it is a release, the address, the bytes. `blocks`
    are alive at the step's end, bytes by address. `sightings` are storages that were alive at a
    place: that place, the number of the phase, the address, the storage, and whether it counts from
    that place on (else from its allocation). `runs` are those of operators: the number of the
    phase, begin and end, and the run. `ends` has each phase and its end, and `loss` is the place
    at which the loss began.
    """

    events: Sequence[tuple[bool, int, int]]
    blocks: Mapping[int, int]
    sightings: Sequence[tuple[int, int, int, int, bool]]
    runs: Sequence[tuple[int, int, int, int]]
    ends: Sequence[tuple[Phase, int]]
    loss: int | None = None


class AllocatorFigures(NamedTuple):
    """What an allocator said of a step, in bytes; None is what it does not tell.

    `boundaries` has the live bytes at the end of each phase, as asked for and as given. At the
    step's end it had `reserved` bytes from the driver, of which `inactive` lay between live blocks.
    Both peaks are within the step. Since the process began it gave back its cache to serve
    `retries` requests, and denied `denied` requests.
    """

    boundaries: Sequence[tuple[Phase, int | None, int]]
    reserved: int
    inactive: int | None = None
    allocated_peak: int | None = None
    requested_peak: int | None = None
    retries: int | None = None
    denied: int | None = None
