"""The facts of an out-of-memory: where it happened, what was requested and what was free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vramtop.observer import denials
from vramtop.protocol.split import Phase, Split
from vramtop.trainer.device.memory_errors import is_out_of_memory

from .ledger import RecordedStep
from .limit import LimitExceeded
from .watcher import Unwatched

Place = Literal["evaluation", "model"]


@dataclass(frozen=True)
class OutOfMemoryFacts:
    """Most fields of the message `OutOfMemory`, which describes them; sizes in bytes."""

    phase: Phase | Place | None
    operator: str
    split: Split
    wanted: int | None
    free: int | None
    needed: int | None
    limit: int | None
    detail: str


def out_of_memory_facts(
    error: RuntimeError, watcher: RecordedStep | Unwatched | None, place: Place | None = None
) -> OutOfMemoryFacts:
    """The facts from an error and the step's watcher. Any other error is raised again."""
    known = is_out_of_memory(error)
    denial = denials.take()
    if not known:
        raise error
    phase: Phase | None = None
    operator, split = "", Split()
    if isinstance(watcher, RecordedStep):
        (phase, operator), split = watcher.failure, watcher.split()
    elif watcher is not None:
        phase = watcher.phase
    wanted = free = needed = limit = None
    if isinstance(error, LimitExceeded):
        phase, operator = error.phase, error.operator
        wanted, needed, limit = error.wanted, error.needed, error.limit
        free = max(0, limit - (needed - wanted))
    elif denial is not None:
        wanted, free = denial.wanted, denial.free
        needed, limit = denial.reserved + wanted, denial.reserved + free
    detail = str(error).partition("\n")[0]
    return OutOfMemoryFacts(place or phase, operator, split, wanted, free, needed, limit, detail)
