"""Recorded steps of a training: the observer's recording, and the account made of it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from types import TracebackType

import torch
from torch import nn
from typing_extensions import Self
from vramtop.accounting.account import Account, NoAccount, account
from vramtop.accounting.allocator import allocator_memory, reconcile
from vramtop.accounting.anatomy import anatomy, split_of
from vramtop.accounting.records import AllocatorFigures, StepLog, StepTrace, StorageRecord
from vramtop.accounting.tensors import tensors
from vramtop.observer.ownership import Owners
from vramtop.observer.reader import allocator_reader
from vramtop.observer.recording import Recording
from vramtop.protocol.split import AllocatorMemory, Anatomy, Category, Phase, Split, Tensors

from .limit import StepLimit

# Live workspaces: bytes by address. They belong to the process, so a later training finds those
# that an earlier one made.
_workspaces: dict[torch.device, dict[int, int]] = {}


class Ledger:
    """Records what `modules` and `optimizers` do on `device`, a step at a time."""

    def __init__(
        self,
        device: torch.device,
        modules: Iterable[nn.Module],
        optimizers: Iterable[torch.optim.Optimizer],
    ) -> None:
        # Resolves "cuda" to "cuda:0", which is what tensors report.
        self._device = torch.empty(0, device=device).device
        self._owners = Owners(tuple(modules), tuple(optimizers))
        self._reader = allocator_reader(self._device)

    def record(self, limit: int | None = None) -> RecordedStep:
        """One recorded step, as a context manager.

        With a `limit` in bytes, an operator that would make the step hold more raises
        `LimitExceeded` before it runs; one whose results cannot be predicted, right after.
        """
        hook = None if limit is None else StepLimit(self._device, limit)
        recording = Recording(self._device, self._owners, self._reader, hook)
        return RecordedStep(recording, self._device, hook)


class RecordedStep:
    """A recorded step on `device`, and after its end the account of it.

    It is the step's `Watcher`; `limit` checks what the step holds.
    """

    def __init__(
        self, recording: Recording, device: torch.device, limit: StepLimit | None = None
    ) -> None:
        self._recording = recording
        self._device = device
        self._limit = limit
        self._log: StepLog | None = None
        self._memory: AllocatorMemory | None = None
        self._no_account: NoAccount | None = None

    # ---- while it runs ----------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._recording.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._recording.__exit__(kind, error, traceback)
        self._limit = None
        self._close()

    def begin(self, phase: Phase) -> None:
        """End the previous phase and begin this one; phases may repeat."""
        self._recording.begin(phase)

    def loss(self) -> None:
        """The rest of the phase computes the loss."""
        self._recording.loss()

    def aside(self) -> AbstractContextManager[None]:
        """A context whose allocations count only once they are declared as the batch."""
        return self._recording.aside()

    def expect(self, size: int) -> None:
        """Raise `LimitExceeded` if the coming batch of `size` bytes would exceed the limit."""
        self._recording.operate("batch")
        if self._limit is not None:
            self._limit.check(self._recording, size)

    def batch(self, *tensors: object, **named: object) -> None:
        """Declare the batch: tensors in any nesting, with or without names.

        Tensors older than the step count from this point. Raises `LimitExceeded` where that exceeds
        the limit, and `TypeError` where there is no tensor.
        """
        self._recording.batch(*tensors, **named)
        if self._limit is not None:
            self._limit.check(self._recording)

    # ---- after its end ----------------------------------------------------------------------

    def anatomy(self) -> Anatomy:
        """The anatomy of the whole step.

        Raises `NoAccount` where the allocator's trace is incomplete.
        """
        return anatomy(self.log())

    def tensors(self, anatomy: Anatomy) -> dict[Category, Tensors]:
        """The largest tensors of each category at its high-water mark, as this anatomy has it."""
        return tensors(self.log(), anatomy)

    def log(self) -> StepLog:
        """The basis of the anatomy: each storage at the start, and each change since."""
        if self._no_account is not None:
            raise self._no_account
        if self._log is None:
            self._log = self._recorded()
        return self._log

    def allocator(self) -> AllocatorMemory | None:
        """The allocator's figures right after the step; None where there is no account of them."""
        return self._memory

    def split(self) -> Split:
        """What is alive now, as far as it is known; after the step, what was alive at its end.

        If the step failed in an operator, what was alive when that failed.
        """
        return split_of(self._recording.alive())

    @property
    def failure(self) -> tuple[Phase, str]:
        """The phase and the operator in which the step failed; empty if it was in no operator."""
        return self._recording.failure

    def _recorded(self) -> StepLog:
        storages, start, phases, operators, loss = self._recording.log()
        records = [StorageRecord(*storage) for storage in storages]
        return StepLog(records, start, phases, operators, loss)

    def _close(self) -> None:
        """Make the account from the allocator's trace, where there is one."""
        reading, notes = self._recording.allocator(), self._recording.notes()
        if reading is None:
            return
        figures = AllocatorFigures(*reading.figures)
        found: Account | None = None
        if notes is not None:
            try:
                if reading.history is None:
                    raise NoAccount(reading.missing)
                events, blocks = reading.history
                known = _workspaces.get(self._device, {})
                made = account(self._recorded(), StepTrace(events, blocks, *notes), known)
                _workspaces[self._device] = made.workspaces
                reconcile(figures, made)
                found, self._log = made, made.log
            except NoAccount as reason:
                self._no_account = reason
        self._memory = allocator_memory(figures, found)
