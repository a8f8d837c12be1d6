"""How many steps the program's optimizers have made, and which of them step."""

from __future__ import annotations

import math
from collections import Counter, deque
from threading import RLock, get_ident
from time import perf_counter
from typing import NamedTuple

from ..private import graph_task
from .pacing import Pacing

_RECENT = 64
_MOST_NOTED = 1 << 16
_IDLE_SECONDS = 1.0  # without a step; then a step may be anything


class _Step(NamedTuple):
    """One that was made; `task` is negative outside backward passes, `when` in seconds."""

    task: int
    thread: int
    optimizer: int
    when: float
    plain: bool


class Steps:
    """Counts the steps of each optimizer, by its `id`, and tells `pacing` how long they take.

    A step is noted when it ends, and counted when somebody asks. Between two steps the program has
    emptied the processor's caches, so what is done there costs several times what it does alone.
    """

    def __init__(self, pacing: Pacing) -> None:
        self._pacing = pacing
        self._noted: deque[tuple[int, int, int, float, bool]] = deque(maxlen=_MOST_NOTED)
        self._counting = RLock()  # a signal's handler may make a step, too
        self._counts: Counter[int] = Counter()
        self._recent: deque[tuple[int, int]] = deque(maxlen=_RECENT)  # threads and optimizers
        self._last: tuple[int, float] | None = None
        self._latest = -math.inf  # when a step was made, watched or not

    def made(self, optimizer: int, *, plain: bool = True) -> float:
        """An optimizer has made a step, at the time returned; a plain one is not watched."""
        now = perf_counter()
        self._noted.append((graph_task(), get_ident(), optimizer, now, plain))
        return now

    def _count(self) -> None:
        with self._counting:
            while self._noted:
                self._count_one(_Step(*self._noted.popleft()))

    def _count_one(self, step: _Step) -> None:
        if step.task >= 0:
            return  # within a backward pass; it bounds no step
        self._counts[step.optimizer] += 1
        self._recent.append((step.thread, step.optimizer))
        last, idle = self._last, step.when - self._latest > _IDLE_SECONDS
        if not step.plain:
            self._last, self._latest = None, step.when  # no time counts from it
        elif last is None or last[0] == step.optimizer or idle:
            if last is not None and last[0] == step.optimizer:
                self._pacing.plain_step(step.when - last[1])
            self._last, self._latest = (step.optimizer, step.when), step.when

    def forget_recent(self) -> None:
        """What stepped so far may not step again."""
        self._count()
        self._recent.clear()

    @property
    def most(self) -> int | None:
        """The steps of the optimizer that made the most; None where there is none."""
        self._count()
        return max(list(self._counts.values()), default=None)

    @property
    def stepping(self) -> bool:
        """Whether any optimizer has stepped of late."""
        self._count()
        return bool(self._recent)

    @property
    def idle(self) -> bool:
        """Whether none has stepped for a while."""
        self._count()
        return perf_counter() - self._latest > _IDLE_SECONDS

    @property
    def in_other_threads(self) -> bool:
        """Whether optimizers have stepped in other threads than this one of late."""
        self._count()
        return any(thread != get_ident() for thread, _ in list(self._recent))

    def recent(self) -> list[int]:
        """The optimizers of this thread's latest steps."""
        self._count()
        return [optimizer for thread, optimizer in list(self._recent) if thread == get_ident()]
