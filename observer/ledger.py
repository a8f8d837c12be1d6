"""Who owns which storage: the bytes of one training step, by category, to the byte.

A dispatch mode sees each operator of an instrumented step, in forward, backward and optimizer. A
storage is counted once, from the operator that made it until its last reference is gone. What it
is, is known only afterwards (a gradient is one from its birth in `mm`, but nobody can tell before
backward has put it into `.grad`), so changes are noted first, in a journal, and classified at the
end.

Knows PyTorch and nothing of this trainer. Sizes are bytes as asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from types import TracebackType
from typing import NamedTuple

import torch
from torch import nn
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from typing_extensions import Self
from vramtop.accounting.account import Account
from vramtop.accounting.anatomy import Log, Mark, anatomy
from vramtop.accounting.tensors import tensors
from vramtop.protocol.split import AllocatorMemory, Anatomy, Category, Phase, Split, Tensors

from .gauge import Gauge, gauge
from .journal import Journal
from .ownership import Owners, named_in, storages_on, stored_on
from .rehearsal import Rehearsal
from .trace import NoAccount

# `torch.tensor` fills a storage unseen and hands it over as this operator's argument.
_FRESH = (torch.ops.aten.lift_fresh.default, torch.ops.aten.lift.default)


class LimitExceeded(torch.OutOfMemoryError):
    """What would have made the step hold `needed` bytes, more than `limit`.

    `wanted` of them are what the operator came for. It is named as PyTorch's dispatcher names it,
    or "batch" where the batch is too large; `split` is what the step held then, without the
    operator's results unless they were the first to tell of their size.
    """

    def __init__(
        self, needed: int, limit: int, *, wanted: int, phase: Phase, operator: str, split: Split
    ) -> None:
        super().__init__(f"{operator} in {phase} needs {needed:,} B, and the limit is {limit:,} B")
        self.needed = needed
        self.wanted = wanted
        self.limit = limit
        self.phase = phase
        self.operator = operator
        self.split = split


class _Failure(NamedTuple):
    """What was alive when an operator failed: on its way up, the error lets go of much of it."""

    error: BaseException | None
    operation: tuple[object]
    split: Split


class Ledger:
    """Watches what `modules` and `optimizers` do on `device`, a step at a time.

    PyTorch's higher-order operators (`torch.cond` and the like) cannot be watched; they raise
    `NotImplementedError` in an instrumented step.
    """

    def __init__(
        self,
        device: torch.device,
        modules: Iterable[nn.Module],
        optimizers: Iterable[torch.optim.Optimizer],
    ) -> None:
        # Tensors on "cuda" say that they are on "cuda:0".
        self._device = torch.empty(0, device=device).device
        self._owners = Owners(tuple(modules), tuple(optimizers))
        self._gauge = gauge(self._device)

    def record(self, limit: int | None = None) -> Recording:
        """One instrumented step, as a context manager.

        With a `limit` in bytes, an operator that would make the step hold more raises
        `LimitExceeded` before it runs; one whose results cannot be foretold, right after.
        """
        return Recording(self._device, self._owners, self._gauge, limit)


class Recording(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The changes of one step. Enter it, `begin` each phase, leave it, ask for the anatomy.

    It begins in `load`, with what modules and optimizers own when it is made. It keeps no tensor
    alive. What no operator makes and nobody declares stays unseen, as the state of a generator.
    """

    def __init__(
        self, device: torch.device, owners: Owners, gauge: Gauge | None, limit: int | None
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._device = device
        self._gauge = gauge
        self._limit = limit
        self._rehearsal = None if limit is None else Rehearsal(device)
        self._journal = Journal(device, owners, traced=gauge is not None and gauge.traced)
        self._loss: Mark | None = None
        self._loss_at: tuple[int, int] | None = None
        self._account: Account | NoAccount | None = None
        self._memory: AllocatorMemory | None = None
        self._aside = False
        self._failure: _Failure | None = None
        self._last: Split | None = None

    def __enter__(self) -> Self:
        super().__enter__()  # type: ignore[no-untyped-call]
        if self._gauge is not None:
            self._gauge.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, traceback)  # type: ignore[no-untyped-call]
        if self._gauge is not None:
            self._journal.at = self._gauge.boundary(self._journal.phase)
        self._last = self._journal.end()
        if self._gauge is not None:
            try:
                self._account = self._gauge.end(self._journal.notes, self._loss_at)
            except NoAccount as lacking:
                self._account = lacking
            self._memory = self._gauge.read()
        failure = self._failure
        # An error that was caught on its way was none of the step's. What cleans up after one may
        # be an operator too, and not every error stays the same object.
        latest = self._journal.operation
        if failure and failure.operation is not latest and failure.error is not error:
            self._failure = None
        elif failure and error is not None:
            self._last = failure.split
        if self._failure is not None:
            # Its traceback would keep all of the step.
            self._failure = self._failure._replace(error=None)
        self._rehearsal = None

    def begin(self, phase: Phase) -> None:
        """End the phase before and start this one; phases may repeat."""
        if self._gauge is not None:
            self._journal.at = self._gauge.boundary(self._journal.phase)
        self._journal.turn(phase)

    def loss(self) -> None:
        """From here on, until the phase ends, it is the loss that is computed.

        Where forward comes more than once, the anatomy knows of its first loss.
        """
        if self._loss is None:
            self._loss = self._journal.place()
            if self._gauge is not None:
                self._loss_at = self._loss[0], self._gauge.place()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What is made in here counts only once it is declared as the batch."""
        self._aside = True
        try:
            yield
        finally:
            self._aside = False
            if self._gauge is not None:
                self._journal.at = self._gauge.place()

    def expect(self, size: int) -> None:
        """Raise `LimitExceeded` where a batch of `size` bytes, not made yet, would be too much."""
        self._journal.operate("batch")
        self._check(size)

    def batch(self, *tensors: object, **named: object) -> None:
        """Declare what the batch is: tensors in any nesting, under their names or without.

        What of it was there before the step counts from now on. Raises `LimitExceeded` where
        that is more than the limit, and `TypeError` where no tensor can be found in it.
        """
        self._journal.operate("batch")
        if self._gauge is not None:
            self._journal.at = self._gauge.place()
        found = named_in("batch", tensors)
        for name, part in named.items():
            found += named_in(name, part)
        if not found:
            kinds = ", ".join(type(part).__name__ for part in (*tensors, *named.values()))
            raise TypeError(f"no tensor is found in a batch of {kinds}")
        self._journal.own("batch_data", found, born=True)
        self._check()

    def anatomy(self) -> Anatomy:
        """The whole step, after its end, when all is known of it.

        Raises `NoAccount` where the device's allocator has not told all of it.
        """
        account = self._known()
        return anatomy(*self.log(), account.loss if account else self._loss)

    def tensors(self, anatomy: Anatomy) -> dict[Category, Tensors]:
        """The largest tensors of each category at its high water, as this step's anatomy has it."""
        return tensors(*self.log(), anatomy)

    def log(self) -> Log:
        """What `anatomy` is made of: each storage at the start, each change since."""
        account = self._known()
        return account.log if account else self._journal.log()

    def _known(self) -> Account | None:
        """The account by the allocator's trace; None on a device that is not traced."""
        if isinstance(self._account, NoAccount):
            raise self._account
        return self._account

    def split(self) -> Split:
        """What is alive right now, as far as it is known; after the step, what was at its end.

        After a step that failed in an operator, what was alive when that failed.
        """
        if self._last is not None:
            return self._last
        return self._journal.split()

    @property
    def failure(self) -> tuple[Phase, str]:
        """Where a step that failed has ended: the phase, and the operator, empty if in none."""
        operator = str(self._failure.operation[0]) if self._failure else ""
        return self._journal.phase, operator

    def __torch_dispatch__(
        self,
        func: Callable[..., object],
        types: tuple[type, ...],
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        kwargs = kwargs or {}
        if self._aside:
            return func(*args, **kwargs)
        journal = self._journal
        journal.operate(func)
        if self._rehearsal is not None:
            self._check(self._rehearsal.allocates(func, args, kwargs))
        # An argument that is written to may come back with another storage.
        older = self._storages(args, kwargs) if _writes(func) else None
        try:
            result = func(*args, **kwargs)
        except BaseException as error:
            self._failure = _Failure(error, journal.operation, self.split())
            raise
        finally:
            if self._gauge is not None:
                journal.ran(self._gauge.place())
        for tensor in stored_on(self._device, result):
            storage = tensor.untyped_storage()
            life = journal.life_of(storage)
            if life is None:
                # What an operator only passes on was there before the step, unknown to us.
                if older is None:
                    older = set() if func in _FRESH else self._storages(args, kwargs)
                born = storage._cdata not in older
                journal.see(storage, born=born).look_at(tensor)
            elif life.bytes != storage.nbytes():
                life.look_at(tensor)
                journal.look_again(life, storage)
        if self._rehearsal is not None:
            self._check()
        return result

    def allocator(self) -> AllocatorMemory | None:
        """What the allocator says of the step, right after its end; None on a device without."""
        return self._memory

    def _storages(self, args: tuple[object, ...], kwargs: dict[str, object]) -> set[int]:
        """What the arguments of an operator hold now."""
        passed = [*args, *kwargs.values()]
        return {storage._cdata for storage in storages_on(self._device, passed)}

    def _check(self, more: int = 0) -> None:
        """Raise `LimitExceeded` if the step would hold too much with so many bytes more."""
        journal = self._journal
        needed = journal.held + more
        if self._limit is not None and needed > self._limit:
            error = LimitExceeded(
                needed,
                self._limit,
                wanted=needed - journal.before,
                phase=journal.phase,
                operator=str(journal.operation[0]),
                split=self.split(),
            )
            self._failure = _Failure(error, journal.operation, error.split)
            raise error


@cache
def _writes(func: Callable[..., object]) -> bool:
    """Whether the operator writes into one of its arguments."""
    return isinstance(func, OpOverload) and any(
        argument.alias_info is not None and argument.alias_info.is_write
        for argument in func._schema.arguments
    )
