"""Recorded steps of a training, and what each was made of: the observer and accounting together."""

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

# Workspaces that are known to be alive, bytes by address. They are the process's: another training
# finds them where the one before it has made them.
_workspaces: dict[torch.device, dict[int, int]] = {}


class Ledger:
    """Records what `modules` and `optimizers` do on `device`, a step at a time."""

    def __init__(
        self,
        device: torch.device,
        modules: Iterable[nn.Module],
        optimizers: Iterable[torch.optim.Optimizer],
    ) -> None:
        # Tensors on "cuda" say that they are on "cuda:0".
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
    """A step on `device` that is recorded, and after its end the account of it.

    It listens to the step as a `Watcher`; `limit` is what the recording is held to.
    """

    def __init__(
        self, recording: Recording, device: torch.device, limit: StepLimit | None = None
    ) -> None:
        self._recording = recording
        self._device = device
        self._limit = limit
        self._log: StepLog | None = None
        self._memory: AllocatorMemory | None = None
        self._lacking: NoAccount | None = None

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
        """End the phase before and start this one; phases may repeat."""
        self._recording.begin(phase)

    def loss(self) -> None:
        """From here on, until the phase ends, it is the loss that is computed."""
        self._recording.loss()

    def aside(self) -> AbstractContextManager[None]:
        """What is made in here counts only once it is declared as the batch."""
        return self._recording.aside()

    def expect(self, size: int) -> None:
        """Raise `LimitExceeded` where a batch of `size` bytes, not made yet, would be too much."""
        self._recording.operate("batch")
        if self._limit is not None:
            self._limit.check(self._recording, size)

    def batch(self, *tensors: object, **named: object) -> None:
        """Declare what the batch is: tensors in any nesting, under their names or without.

        Tensors older than the step count from this point. Raises `LimitExceeded` where that is more
        than the limit, and `TypeError` where no tensor can be found.
        """
        self._recording.batch(*tensors, **named)
        if self._limit is not None:
            self._limit.check(self._recording)

    # ---- what it was ------------------------------------------------------------------------

    def anatomy(self) -> Anatomy:
        """The whole step, after its end, when all is known of it.

        Raises `NoAccount` where the device's allocator has not told all of it.
        """
        return anatomy(self.log())

    def tensors(self, anatomy: Anatomy) -> dict[Category, Tensors]:
        """The largest tensors of each category at its high-water mark, as this anatomy has it."""
        return tensors(self.log(), anatomy)

    def log(self) -> StepLog:
        """What `anatomy` is made of: each storage at the start, each change since."""
        if self._lacking is not None:
            raise self._lacking
        if self._log is None:
            self._log = self._recorded()
        return self._log

    def allocator(self) -> AllocatorMemory | None:
        """What the allocator says of the step, right after its end; None on a device without."""
        return self._memory

    def split(self) -> Split:
        """What is alive right now, as far as it is known; after the step, what was at its end.

        After a step that failed in an operator, what was alive when that failed.
        """
        return split_of(self._recording.alive())

    @property
    def failure(self) -> tuple[Phase, str]:
        """Where a step that failed has ended: the phase, and the operator, empty if in none."""
        return self._recording.failure

    def _recorded(self) -> StepLog:
        storages, start, phases, operators, loss = self._recording.log()
        records = [StorageRecord(*storage) for storage in storages]
        return StepLog(records, start, phases, operators, loss)

    def _close(self) -> None:
        """Make the account by the allocator's trace, where there is one."""
        told, notes = self._recording.allocator(), self._recording.notes()
        if told is None:
            return
        figures = AllocatorFigures(*told.figures)
        found: Account | None = None
        if notes is not None:
            try:
                if told.history is None:
                    raise NoAccount(told.missing)
                events, blocks = told.history
                known = _workspaces.get(self._device, {})
                made = account(self._recorded(), StepTrace(events, blocks, *notes), known)
                _workspaces[self._device] = made.workspaces
                reconcile(figures, made)
                found, self._log = made, made.log
            except NoAccount as lacking:
                self._lacking = lacking
        self._memory = allocator_memory(figures, found)
