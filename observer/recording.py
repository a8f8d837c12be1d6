"""Records one step of a program: every storage, and which operator made it.

A dispatch mode sees each operator of the step, in forward, backward and optimizer. A storage is
counted once, from the operator that made it until its last reference is gone. Its owner is often
known only later: `mm` makes a gradient, but only when backward has put it into `.grad` is it known
to be one. So changes are noted as they come, and owners as they become known.

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

    An error that it raises appears as the operator's. Before it raises one, it must call
    `Recording.fail`.
    """

    def before(
        self, recording: Recording, operator: Operator, args: Arguments, kwargs: Keywords
    ) -> None:
        """The operator is about to run."""

    def after(self, recording: Recording, operator: Operator, args: Arguments) -> None:
        """The operator has run, and its results are counted."""


class _Failure(NamedTuple):
    """What was alive when an operator failed. Much of it is freed before the step has ended."""

    error: BaseException | None
    run: int
    alive: list[HeldStorage]


class Recording(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records one step on `device`. Enter it, `begin` each phase, leave it, then read the results.

    `device` has an index as tensors have it: "cuda:0", not "cuda". `reader` reads its allocator.

    The recording begins in `load`, with what modules and optimizers own when it is made. It keeps
    no tensor alive. Storages that no operator makes and that are not declared are not seen, such as
    the state of a random number generator. PyTorch's higher-order operators (such as `torch.cond`)
    cannot be recorded; they raise `NotImplementedError`.
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

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # To let its compiler skip the mode, PyTorch would import it, which takes a second. A step
        # that is recorded is not compiled.
        return False

    # ---- calls from the program during its step -------------------------------------------------

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
        # The failure ended the step if its error arrives here, or if no operator ran after it.
        # Clean-up after an error may run operators, and an error may be replaced on its way.
        if failure and failure.run != self._journal.run and failure.error is not error:
            self._failure = None
        elif failure and error is not None:
            self._last = failure.alive
        if self._failure is not None:
            # The error's traceback would keep the tensors of the step alive.
            self._failure = self._failure._replace(error=None)
        self._hook = None

    def begin(self, phase: Phase) -> None:
        """End the present phase and start this one; phases may repeat."""
        self._bound()
        self._journal.turn(phase)

    def loss(self) -> None:
        """The rest of the phase computes the loss.

        Where forward comes several times, the log has the first loss.
        """
        if not self._journal.has_loss:
            self._journal.loss(self._reader.place() if self._reader is not None else None)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """A context whose allocations count only once they are declared as the batch."""
        self._aside = True
        try:
            yield
        finally:
            self._aside = False
            self._move_on()

    def operate(self, name: str) -> None:
        """Changes belong from now on to something of this name that is not an operator."""
        self._journal.operate(name)

    def batch(self, *tensors: object, **named: object) -> None:
        """Declare the batch: tensors in nested containers, with or without names.

        Tensors older than the step count from this point. Raises `TypeError` if there is no tensor.
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
        """Note that the present operator raises this error, and what is alive now."""
        self._failure = _Failure(error, self._journal.run, self.alive())

    def pass_through(self, *sizes: int) -> None:
        """Count buffers that the operator held all at once and released before it ended."""
        self._journal.pass_through(*sizes)

    # ---- results ----------------------------------------------------------------

    @property
    def phase(self) -> Phase:
        """The present phase."""
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
        """The phase and the operator in which the step failed; the operator is empty if in none."""
        operator = self._journal.operator_of(self._failure.run) if self._failure else ""
        return self._journal.phase, operator

    def alive(self) -> list[HeldStorage]:
        """The storages known to be alive now; after the step, those alive at its end.

        After a step that failed in an operator, those alive when the operator failed.
        """
        return self._journal.alive() if self._last is None else self._last

    def log(self) -> StepLog:
        """Each storage at the start, and each change in the phases that have ended."""
        return self._journal.log()

    def notes(self) -> TraceNotes | None:
        """The notes that relate the log to the allocator's trace; None where there is no trace."""
        return self._journal.notes

    def allocator(self) -> AllocatorRecord | None:
        """The allocator's record of the step, made at its end; None without a reader."""
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
                # A storage that the operator only passes on is older than the step.
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
        """The keys of the storages that an operator's arguments have now."""
        passed = [*args, *kwargs.values()]
        return set(map(storage_key, storages_on(self._device, passed)))

    def _bound(self) -> None:
        """Note that the present phase ends here in the allocator's trace."""
        if self._reader is not None:
            self._journal.at = self._reader.boundary(self._journal.phase)

    def _move_on(self) -> None:
        """Update the present place in the allocator's trace."""
        if self._reader is not None:
            self._journal.at = self._reader.place()
