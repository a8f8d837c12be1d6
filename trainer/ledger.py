"""Who owns which storage: the bytes of one training step, by category, to the byte.

A dispatch mode sees each operator of an instrumented step, in forward, backward and optimizer. A
storage is counted once, from the operator that made it until its last reference is gone. What it
is, is known only afterwards (a gradient is one from its birth in `mm`, but nobody can tell before
backward has put it into `.grad`), so changes are noted first and classified at the end.

Knows PyTorch and nothing of this trainer. Sizes are bytes as asked for.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from types import TracebackType
from typing import NamedTuple

import torch
from torch import UntypedStorage, nn
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from typing_extensions import Self

from .anatomy import Change, Life, Log, Mark, Page, anatomy
from .memory import Gauge, gauge
from .ownership import Named, Owners, Roster, named_in, storages_on, stored_on
from .rehearsal import Rehearsal
from .split import CATEGORIES, AllocatorMemory, Anatomy, Category, Phase, Split, Tensors
from .tensors import tensors

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
        self._alive: dict[int, Life] = {}
        self._held = self._before = 0  # bytes: now, and when the latest operation began
        self._start: list[tuple[Life, int]] = []
        self._pages: list[Page] = []
        self._loss: Mark | None = None
        self._operation: tuple[object] = ("",)
        self._aside = False
        self._failure: _Failure | None = None
        self._last: Split | None = None
        self._open("load")
        self._roster = Roster(owners)
        self._own("parameters", owners.parameters())
        self._identify()

    # ---- the step ---------------------------------------------------------------------------

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
        # Parameters and buffers may have been made within the step.
        self._own("parameters", self._roster.owners.parameters())
        self._close()
        self._last = self._now()
        failure = self._failure
        # An error that was caught on its way was none of the step's. What cleans up after one may
        # be an operator too, and not every error stays the same object.
        if failure and failure.operation is not self._operation and failure.error is not error:
            self._failure = None
        elif failure and error is not None:
            self._last = failure.split
        if self._failure is not None:
            # Its traceback would keep all of the step.
            self._failure = self._failure._replace(error=None)
        for life in list(self._alive.values()):
            life.reference = None
        self._alive = {}
        self._roster.forget()
        self._rehearsal = None

    def begin(self, phase: Phase) -> None:
        """End the phase before and start this one; phases may repeat."""
        self._close()
        self._open(phase)

    def loss(self) -> None:
        """From here on, until the phase ends, it is the loss that is computed.

        Where forward comes more than once, the anatomy knows of its first loss.
        """
        self._loss = self._loss or (len(self._pages), len(self._changes))

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What is made in here counts only once it is declared as the batch."""
        self._aside = True
        try:
            yield
        finally:
            self._aside = False

    def expect(self, size: int) -> None:
        """Raise `LimitExceeded` where a batch of `size` bytes, not made yet, would be too much."""
        self._operate("batch")
        self._check(size)

    def batch(self, *tensors: object, **named: object) -> None:
        """Declare what the batch is: tensors in any nesting, under their names or without.

        What of it was there before the step counts from now on. Raises `LimitExceeded` where
        that is more than the limit, and `TypeError` where no tensor can be found in it.
        """
        self._operate("batch")
        found = named_in("batch", tensors)
        for name, part in named.items():
            found += named_in(name, part)
        if not found:
            kinds = ", ".join(type(part).__name__ for part in (*tensors, *named.values()))
            raise TypeError(f"no tensor is found in a batch of {kinds}")
        self._own("batch_data", found, born=True)
        self._check()

    def anatomy(self) -> Anatomy:
        """The whole step, after its end, when all is known of it."""
        return anatomy(self._start, self._pages, self._loss)

    def tensors(self, anatomy: Anatomy) -> dict[Category, Tensors]:
        """The largest tensors of each category at its high water, as this step's anatomy has it."""
        return tensors(self._start, self._pages, anatomy)

    def log(self) -> Log:
        """What `anatomy` is made of: each storage at the start, each change since."""
        return self._start, self._pages

    def split(self) -> Split:
        """What is alive right now, as far as it is known; after the step, what was at its end.

        After a step that failed in an operator, what was alive when that failed.
        """
        if self._last is not None:
            return self._last
        self._identify()
        return self._now()

    @property
    def failure(self) -> tuple[Phase, str]:
        """Where a step that failed has ended: the phase, and the operator, empty if in none."""
        return self._phase, str(self._failure.operation[0]) if self._failure else ""

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
        self._operate(func)
        if self._rehearsal is not None:
            self._check(self._rehearsal.allocates(func, args, kwargs))
        if self._gauge is not None:
            self._gauge.before()
        held = self._before
        # An argument that is written to may come back with another storage.
        older = self._storages(args, kwargs) if _writes(func) else None
        try:
            result = func(*args, **kwargs)
        except BaseException as error:
            self._failure = _Failure(error, self._operation, self.split())
            raise
        for tensor in stored_on(self._device, result):
            storage = tensor.untyped_storage()
            life = self._alive.get(storage._cdata)
            if life is None:
                # What an operator only passes on was there before the step, unknown to us.
                if older is None:
                    older = set() if func in _FRESH else self._storages(args, kwargs)
                born = storage._cdata not in older
                self._see(storage, born=born).look_at(tensor)
                held += 0 if born else storage.nbytes()
            elif life.bytes != storage.nbytes():
                life.look_at(tensor)
                self._resize(life, storage.nbytes())
        if self._gauge is not None:
            self._pass(self._gauge.after(self._held - held))
        if self._rehearsal is not None:
            self._check()
        return result

    def allocator(self) -> AllocatorMemory | None:
        """What the allocator says of the step, right after its end; None on a device without."""
        return None if self._gauge is None else self._gauge.read()

    def _storages(self, args: tuple[object, ...], kwargs: dict[str, object]) -> set[int]:
        """What the arguments of an operator hold now."""
        passed = [*args, *kwargs.values()]
        return {storage._cdata for storage in storages_on(self._device, passed)}

    # ---- what is noted ----------------------------------------------------------------------

    def _open(self, phase: Phase) -> None:
        self._phase = phase
        self._changes: list[Change] = []
        self._operation = ("",)

    def _operate(self, operator: object) -> None:
        self._operation = (operator,)
        self._before = self._held

    def _close(self) -> None:
        self._identify()
        for life in list(self._alive.values()):
            storage = life.reference() if life.reference else None
            if storage is not None and storage.nbytes() != life.bytes:
                # Resized directly, past all operators.
                self._resize(life, storage.nbytes())
            if self._phase == life.phase == "forward":
                life.survived_forward = True
        self._pages.append((self._phase, self._changes))
        if self._gauge is not None:
            self._gauge.boundary(self._phase)

    def _identify(self) -> None:
        """Name what parameters and optimizers hold by now."""
        self._own("gradients", self._roster.gradients())
        self._own("optimizer_state", self._roster.optimizer_state())

    def _own(self, category: Category, named: Iterable[Named], *, born: bool = False) -> None:
        for name, whole in named:
            for tensor in stored_on(self._device, whole):
                storage = tensor.untyped_storage()
                life = self._alive.get(storage._cdata) or self._see(storage, born=born)
                if life.category is None:
                    life.category, life.name = category, name
                    life.look_at(tensor)

    def _see(self, storage: UntypedStorage, *, born: bool) -> Life:
        """Count a storage not known before, from now on or else from the step's start."""
        operation: tuple[object] = self._operation if born else ("",)
        life = Life(storage._cdata, self._phase if born else None, operation)
        life.reference = weakref.ref(storage, partial(self._release, life))
        self._alive[life.key] = life
        if born:
            self._resize(life, storage.nbytes())
        else:
            life.bytes = storage.nbytes()
            self._held += life.bytes
            self._start.append((life, life.bytes))
        return life

    def _resize(self, life: Life, size: int) -> None:
        change = size - life.bytes
        if change:
            life.bytes = size
            self._held += change
            self._changes.append((life, change, self._operation))

    def _pass(self, *sizes: int) -> None:
        """Count buffers that the operator took, all at once, and gave back within."""
        lives = [Life(0, self._phase, self._operation) for _ in sizes]
        for life, size in zip(lives, sizes, strict=True):
            life.end = self._phase
            self._resize(life, size)
        for life in lives:
            self._resize(life, 0)

    def _release(self, life: Life, _: object) -> None:
        """The last reference to a storage is gone; its address may soon be another's."""
        self._alive.pop(life.key, None)
        life.reference, life.end = None, self._phase
        self._resize(life, 0)

    def _now(self) -> Split:
        sizes = [0] * len(CATEGORIES)
        for life in list(self._alive.values()):
            sizes[life.index(forward_ends=self._phase == "forward")] += life.bytes
        return Split(*sizes)

    def _check(self, more: int = 0) -> None:
        """Raise `LimitExceeded` if the step would hold too much with so many bytes more."""
        needed = self._held + more
        if self._limit is not None and needed > self._limit:
            error = LimitExceeded(
                needed,
                self._limit,
                wanted=needed - self._before,
                phase=self._phase,
                operator=str(self._operation[0]),
                split=self.split(),
            )
            self._failure = _Failure(error, self._operation, error.split)
            raise error


@cache
def _writes(func: Callable[..., object]) -> bool:
    """Whether the operator writes into one of its arguments."""
    return isinstance(func, OpOverload) and any(
        argument.alias_info is not None and argument.alias_info.is_write
        for argument in func._schema.arguments
    )
