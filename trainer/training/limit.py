"""A limit on what a step may hold, for devices whose allocator cannot be held to one."""

from __future__ import annotations

import torch
from vramtop.accounting.anatomy import split_of
from vramtop.observer.recording import Arguments, Keywords, Operator, Recording
from vramtop.protocol.split import Phase, Split

from .allocation_predictor import AllocationPredictor


class LimitExceeded(torch.OutOfMemoryError):
    """The step would have held `needed` bytes, more than `limit`.

    The operator allocates `wanted` of these bytes. `operator` is its name by PyTorch's dispatcher,
    or "batch" where the batch is too large. `split` is what the step held then. It includes the
    operator's results only if their size was not known before the operator ran.
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


class StepLimit:
    """Holds one recorded step to `limit` bytes; an `OperatorHook`.

    An operator that would make the step hold more raises `LimitExceeded` before it runs. One whose
    results cannot be predicted raises it right after.
    """

    def __init__(self, device: torch.device, limit: int) -> None:
        self._limit = limit
        self._predictor = AllocationPredictor(device)

    def before(
        self, recording: Recording, operator: Operator, args: Arguments, kwargs: Keywords
    ) -> None:
        """The operator is about to run."""
        self.check(recording, self._predictor.allocates(operator, args, kwargs))

    def after(self, recording: Recording, operator: Operator, args: Arguments) -> None:
        """The operator has run."""
        del operator, args
        self.check(recording)

    def check(self, recording: Recording, more: int = 0) -> None:
        """Raise `LimitExceeded` if the step would exceed the limit with `more` bytes more."""
        needed = recording.held + more
        if needed > self._limit:
            error = LimitExceeded(
                needed,
                self._limit,
                wanted=needed - recording.held_before,
                phase=recording.phase,
                operator=recording.operator,
                split=split_of(recording.alive()),
            )
            recording.fail(error)
            raise error
