"""Notes which storages are alive in a step, and how that changes, while the step runs.

Sizes are bytes as asked for.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from functools import cache, partial

import torch
from torch import Tensor, UntypedStorage

from .ownership import Named, Owners, Roster, stored_on
from .private import storage_key
from .records import (
    Change,
    HeldStorage,
    LogPosition,
    OperatorRun,
    Owner,
    Phase,
    PhaseLog,
    Sighting,
    StepLog,
    StorageRecord,
    TraceNotes,
)


class TrackedStorage:
    """A storage while the step runs. Its fields are those of the later `StorageRecord`."""

    __slots__ = (
        "born",
        "bytes",
        "dtype",
        "gone",
        "key",
        "name",
        "number",
        "owner",
        "reference",
        "run",
        "shape",
        "survived_forward",
    )

    def __init__(self, key: int, born: Phase | None, run: int, number: int) -> None:
        self.key = key
        self.born = born
        self.run = run
        self.number = number
        self.gone: Phase | None = None
        self.bytes = 0
        self.owner: Owner | None = None
        self.name: str | None = None
        self.shape: torch.Size | None = None
        self.dtype: torch.dtype | None = None
        self.survived_forward = False
        self.reference: weakref.ref[UntypedStorage] | None = None

    def look_at(self, tensor: Tensor) -> None:
        """Take shape and dtype from this tensor, whose storage it is."""
        self.shape, self.dtype = tensor.shape, tensor.dtype

    def record(self) -> StorageRecord:
        """The record of what is known by now."""
        dtype, itemsize = (None, None) if self.dtype is None else _element(self.dtype)
        return StorageRecord(
            self.key,
            self.born,
            self.gone,
            self.run,
            self.owner,
            self.name,
            None if self.shape is None else tuple(self.shape),
            dtype,
            itemsize,
            self.survived_forward,
        )


class Journal:
    """The storages of a step on `device`, each counted once, until its last reference is gone.

    It begins in `load`, with what the owners hold when it is made. It keeps no tensor alive.
    `phase` is the present phase, `run` the number of the run that changes belong to. `held` bytes
    are alive now; `before` bytes were alive when that run began.

    With `traced`, `notes` refer to places in the allocator's trace. The caller sets the present
    place, `at`, before it calls other methods.
    """

    def __init__(self, device: torch.device, owners: Owners, *, traced: bool = False) -> None:
        self._device = device
        self.notes = TraceNotes([], [], []) if traced else None
        self.at = 0
        self._storages: list[TrackedStorage] = []
        self._alive: dict[int, TrackedStorage] = {}
        self._start: list[tuple[int, int]] = []
        self._phases: list[PhaseLog] = []
        self._operators: list[object] = [""]
        self._loss: LogPosition | None = None
        self.held = self.before = 0
        self._open("load")
        self._roster = Roster(owners)
        self.own("parameters", owners.parameters())
        self._identify()

    # ---- phases -----------------------------------------------------------------------------

    def turn(self, phase: Phase) -> None:
        """End the present phase and start this one."""
        self._close()
        self._open(phase)

    def end(self) -> list[HeldStorage]:
        """End the step and drop all references. Returns what was alive at its end."""
        # Parameters and buffers may have been made within the step.
        self.own("parameters", self._roster.owners.parameters())
        self._close()
        alive = self._now()
        for storage in list(self._alive.values()):
            storage.reference = None
        self._alive = {}
        self._roster.forget()
        return alive

    def operate(self, operator: object) -> None:
        """Changes belong to a run of this operator from now on."""
        self.run = self._new_run(operator)
        self.before = self.held

    @property
    def operator(self) -> str:
        """The operator that changes belong to."""
        return self.operator_of(self.run)

    def operator_of(self, run: int) -> str:
        """The name of the operator whose run has this number."""
        return _name(self._operators[run])

    def ran(self, at: int) -> None:
        """The operator has run; it ended at this place in the allocator's trace."""
        if self.notes is not None:
            self.notes.runs.append(OperatorRun(len(self._phases), self.at, at, self.run))
        self.at = at

    @property
    def has_loss(self) -> bool:
        """Whether `loss` was called."""
        return self._loss is not None

    def loss(self, at: int | None) -> None:
        """The loss begins, at this place in the allocator's trace."""
        self._loss = LogPosition(len(self._phases), len(self._changes))
        if self.notes is not None:
            self.notes = self.notes._replace(loss=at)

    def log(self) -> StepLog:
        """Each storage at the start, and each change in the phases that have ended."""
        return StepLog(
            [storage.record() for storage in self._storages],
            self._start,
            self._phases,
            [_name(operator) for operator in self._operators],
            self._loss,
        )

    def alive(self) -> list[HeldStorage]:
        """The storages known to be alive now."""
        self._identify()
        return self._now()

    def _new_run(self, operator: object) -> int:
        self._operators.append(operator)
        return len(self._operators) - 1

    def _open(self, phase: Phase) -> None:
        self.phase = phase
        self._changes: list[Change] = []
        self.run = 0

    def _close(self) -> None:
        self._identify()
        for tracked in list(self._alive.values()):
            storage = tracked.reference() if tracked.reference else None
            if storage is not None and storage.nbytes() != tracked.bytes:
                # It was resized directly, without an operator.
                self.look_again(tracked, storage)
            if self.phase == tracked.born == "forward":
                tracked.survived_forward = True
        if self.notes is not None:
            self.notes.ends.append((self.phase, self.at))
        self._phases.append(PhaseLog(self.phase, self._changes))

    def _now(self) -> list[HeldStorage]:
        forward = self.phase == "forward"
        return [
            HeldStorage(
                storage.owner,
                storage.survived_forward or (forward and storage.born == "forward"),
                storage.bytes,
            )
            for storage in list(self._alive.values())
        ]

    # ---- storages ---------------------------------------------------------------------------

    def own(self, owner: Owner, named: Iterable[Named], *, born: bool = False) -> None:
        """Note that these tensors belong to `owner`; those not counted yet are counted by `see`."""
        for name, whole in named:
            for tensor in stored_on(self._device, whole):
                storage = tensor.untyped_storage()
                tracked = self.tracked(storage) or self.see(storage, born=born, declared=born)
                if tracked.owner is None:
                    tracked.owner, tracked.name = owner, name
                    tracked.look_at(tensor)

    def _identify(self) -> None:
        """Find the owner of gradients and optimizer state that exist by now."""
        self.own("gradients", self._roster.gradients())
        self.own("optimizer_state", self._roster.optimizer_state())

    def tracked(self, storage: UntypedStorage) -> TrackedStorage | None:
        """The storage if it is counted already."""
        return self._alive.get(storage_key(storage))

    def see(self, storage: UntypedStorage, *, born: bool, declared: bool = False) -> TrackedStorage:
        """Begin to count a storage: from now on if it was `born` now, else from the step's start.

        In the account by the allocator's trace, it counts from its allocation unless `declared`.
        """
        # A storage that was not seen being made gets a run of its own, without an operator.
        run = self.run if born else self._new_run("")
        tracked = self._track(storage_key(storage), self.phase if born else None, run)
        tracked.reference = weakref.ref(storage, partial(self._release, tracked))
        self._alive[tracked.key] = tracked
        self._sight(tracked, storage, declared=declared)
        if born:
            self._resize(tracked, storage.nbytes())
        else:
            tracked.bytes = storage.nbytes()
            self.held += tracked.bytes
            self._start.append((tracked.number, tracked.bytes))
        return tracked

    def look_again(self, tracked: TrackedStorage, storage: UntypedStorage) -> None:
        """Note the present size and address of a storage, both of which may have changed."""
        self._resize(tracked, storage.nbytes())
        self._sight(tracked, storage, declared=False)

    def pass_through(self, *sizes: int) -> None:
        """Count buffers that the operator held all at once and released before it ended."""
        buffers = [self._track(0, self.phase, self.run) for _ in sizes]
        for buffer, size in zip(buffers, sizes, strict=True):
            buffer.gone = self.phase
            self._resize(buffer, size)
        for buffer in buffers:
            self._resize(buffer, 0)

    def _track(self, key: int, born: Phase | None, run: int) -> TrackedStorage:
        tracked = TrackedStorage(key, born, run, len(self._storages))
        self._storages.append(tracked)
        return tracked

    def _sight(self, tracked: TrackedStorage, storage: UntypedStorage, *, declared: bool) -> None:
        if self.notes is not None and storage.nbytes():
            place, phase = self.at, len(self._phases)
            seen = Sighting(place, phase, storage.data_ptr(), tracked.number, declared)
            self.notes.sightings.append(seen)

    def _resize(self, tracked: TrackedStorage, size: int) -> None:
        """Note the new size of a storage."""
        change = size - tracked.bytes
        if change:
            tracked.bytes = size
            self.held += change
            self._changes.append((tracked.number, change, self.run))

    def _release(self, tracked: TrackedStorage, _: object) -> None:
        """The last reference to a storage is gone; another storage may soon have its key."""
        self._alive.pop(tracked.key, None)
        tracked.reference, tracked.gone = None, self.phase
        self._resize(tracked, 0)


# Operators and their names by `id`, which is fast: PyTorch computes name and hash in Python.
_names: dict[int, tuple[object, str]] = {}


def _name(operator: object) -> str:
    """An operator's name, as PyTorch's dispatcher writes it."""
    known = _names.get(id(operator))
    if known is None:
        known = _names[id(operator)] = operator, str(operator)
    return known[1]


@cache
def _element(dtype: torch.dtype) -> tuple[str, int]:
    """A type's name and the bytes of an element."""
    return str(dtype).removeprefix("torch."), dtype.itemsize
