"""Records one step of a program: every storage, and which operator made it.

A dispatch mode sees each operator of the step, in forward, backward and optimizer. A storage is
counted once, from the operator that made it until its last reference is gone. Whose it is, is known
only later: a gradient is made by `mm`, and only when backward has put it into `.grad` can anybody
tell that it is one. So the recording notes changes as they come, and owners as they become known.

Sizes are bytes as asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import NamedTuple, Protocol

import torch

from .journal import Journal
from .operators import FRESH, writes
from .ownership import Owners, named_in, storages_on, stored_on
from .private import TorchDispatchMode, storage_key
from .reader import AllocatorReader
from .records import AllocatorRecord, HeldStorage, Phase, StepLog, TraceNotes

Operator = Callable[..., object]
Arguments = tuple[object, ...]
Keywords = dict[str, object]


class OperatorHook(Protocol):
    """Is called around each operator of a recorded step.

    An error that it raises becomes the operator's. Before it raises one, it calls `Recording.fail`.
    """

    def before(
        self, recording: Recording, operator: Operator, args: Arguments, kwargs: Keywords
    ) -> None:
        """The operator is about to run."""

    def after(self, recording: Recording, operator: Operator, args: Arguments) -> None:
        """The operator has run, and its results are counted."""


class _Failure(NamedTuple):
    """What was alive when an operator failed: on its way up, the error lets go of much of it."""

    error: BaseException | None
    run: int
    alive: list[HeldStorage]


class Recording(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """One step on `device`. Enter it, `begin` each phase, leave it, ask what there was.

    The device is named as tensors on it say, "cuda:0" and not "cuda". `reader` is that of its
    allocator.

    It begins in `load`, with what modules and optimizers own when it is made. It keeps no tensor
    alive. Storages that no operator makes and nobody declares stay unseen, as the state of a
    random number generator. PyTorch's higher-order operators (`torch.cond` and the like) cannot be
    recorded; they raise `NotImplementedError`.
    """

    def __init__(
        self,
        device: torch.device,
        owners: Owners,
        reader: AllocatorReader | None = None,
        hook: OperatorHook | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._device = device
        self._reader = reader
        self._hook = hook
        self._journal = Journal(device, owners, traced=reader is not None and reader.traced)
        self._allocator: AllocatorRecord | None = None
        self._aside = False
        self._failure: _Failure | None = None
        self._last: list[HeldStorage] | None = None

    # ---- what the program tells of its step -------------------------------------------------

    def __enter__(self) -> Recording:
        super().__enter__()  # type: ignore[no-untyped-call]
        if self._reader is not None:
            self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, traceback)  # type: ignore[no-untyped-call]
        self._bound()
        self._last = self._journal.end()
        if self._reader is not None:
            self._allocator = self._reader.end()
        failure = self._failure
        # An error that was caught on its way did not end the step. What cleans up after an error
        # may be an operator too, and not every error stays the same object.
        if failure and failure.run != self._journal.run and failure.error is not error:
            self._failure = None
        elif failure and error is not None:
            self._last = failure.alive
        if self._failure is not None:
            # Its traceback would keep all of the step.
            self._failure = self._failure._replace(error=None)
        self._hook = None

    def begin(self, phase: Phase) -> None:
        """End the phase before and start this one; phases may repeat."""
        self._bound()
        self._journal.turn(phase)

    def loss(self) -> None:
        """From here on, until the phase ends, it is the loss that is computed.

        Where forward comes more than once, the log knows of its first loss.
        """
        if not self._journal.has_loss:
            self._journal.loss(self._reader.place() if self._reader is not None else None)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What is made in here counts only once it is declared as the batch."""
        self._aside = True
        try:
            yield
        finally:
            self._aside = False
            self._move_on()

    def operate(self, name: str) -> None:
        """What follows belongs to something of this name that is not an operator."""
        self._journal.operate(name)

    def batch(self, *tensors: object, **named: object) -> None:
        """Declare what the batch is: tensors in any nesting, under their names or without.

        Tensors older than the step count from this point. Raises `TypeError` where no tensor can be
        found.
        """
        self.operate("batch")
        self._move_on()
        found = named_in("batch", tensors)
        for name, part in named.items():
            found += named_in(name, part)
        if not found:
            kinds = ", ".join(type(part).__name__ for part in (*tensors, *named.values()))
            raise TypeError(f"no tensor is found in a batch of {kinds}")
        self._journal.own("batch_data", found, born=True)

    def fail(self, error: BaseException) -> None:
        """Note that the operator under way raises this, and what is alive at this moment."""
        self._failure = _Failure(error, self._journal.run, self.alive())

    def pass_through(self, *sizes: int) -> None:
        """Count buffers that the operator took, all at once, and gave back before it ended."""
        self._journal.pass_through(*sizes)

    # ---- what is known of it ----------------------------------------------------------------

    @property
    def phase(self) -> Phase:
        """The phase under way."""
        return self._journal.phase

    @property
    def operator(self) -> str:
        """The operator that ran last or is running, as PyTorch's dispatcher names it."""
        return self._journal.operator

    @property
    def held(self) -> int:
        """The bytes alive now."""
        return self._journal.held

    @property
    def held_before(self) -> int:
        """The bytes alive when the operator began."""
        return self._journal.before

    @property
    def failure(self) -> tuple[Phase, str]:
        """Where a step that failed has ended: the phase, and the operator, empty if in none."""
        operator = self._journal.operator_of(self._failure.run) if self._failure else ""
        return self._journal.phase, operator

    def alive(self) -> list[HeldStorage]:
        """What is alive right now, as far as it is known; after the step, what was at its end.

        After a step that failed in an operator, what was alive when that failed.
        """
        return self._journal.alive() if self._last is None else self._last

    def log(self) -> StepLog:
        """Each storage at the start, and each change in the phases that have ended."""
        return self._journal.log()

    def notes(self) -> TraceNotes | None:
        """What the log's storages and operators have to do with the allocator's trace.

        None on a device whose allocator has none.
        """
        return self._journal.notes

    def allocator(self) -> AllocatorRecord | None:
        """What the allocator said of the step, right after its end; None on a device without."""
        return self._allocator

    # ---- operators --------------------------------------------------------------------------

    def __torch_dispatch__(
        self,
        func: Operator,
        types: tuple[type, ...],
        args: Arguments = (),
        kwargs: Keywords | None = None,
    ) -> object:
        kwargs = kwargs or {}
        if self._aside:
            return func(*args, **kwargs)
        journal, hook = self._journal, self._hook
        journal.operate(func)
        if hook is not None:
            hook.before(self, func, args, kwargs)
        # An argument that is written to may come back with another storage.
        older = self._storages(args, kwargs) if writes(func) else None
        try:
            result = func(*args, **kwargs)
        except BaseException as error:
            self.fail(error)
            raise
        finally:
            if self._reader is not None:
                journal.ran(self._reader.place())
        for tensor in stored_on(self._device, result):
            storage = tensor.untyped_storage()
            tracked = journal.tracked(storage)
            if tracked is None:
                # What an operator only passes on was there before the step, unknown to us.
                if older is None:
                    older = set() if func in FRESH else self._storages(args, kwargs)
                born = storage_key(storage) not in older
                journal.see(storage, born=born).look_at(tensor)
            elif tracked.bytes != storage.nbytes():
                tracked.look_at(tensor)
                journal.look_again(tracked, storage)
        if hook is not None:
            hook.after(self, func, args)
        return result

    def _storages(self, args: Arguments, kwargs: Keywords) -> set[int]:
        """What the arguments of an operator hold now."""
        passed = [*args, *kwargs.values()]
        return set(map(storage_key, storages_on(self._device, passed)))

    def _bound(self) -> None:
        """The phase under way ends here in the allocator's trace."""
        if self._reader is not None:
            self._journal.at = self._reader.boundary(self._journal.phase)

    def _move_on(self) -> None:
        """What comes next is here in the allocator's trace."""
        if self._reader is not None:
            self._journal.at = self._reader.place()
