"""What is nobody's, alike blocks together, so that a person can guess what it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from vramtop.protocol.observed.record import WatchedStep
from vramtop.protocol.observed.report import Held

from .lives import Life
from .origins import line_of

OLDER = "older than both recorded steps"
KEPT = "kept since the step before"
BUCKET = "DistributedDataParallel's buckets"


def other_of(step: WatchedStep, lives: Iterable[Life]) -> tuple[Held, ...]:
    """These lives by what they are and by size, the most bytes first.

    A bucket of DistributedDataParallel is known by its exact size, each once.
    """
    buckets = Counter(step.bucket_sizes)
    alike: Counter[tuple[str, str, int]] = Counter()
    for life in lives:
        what, line = _what(life), line_of(step, life.line)
        if buckets[life.size]:
            buckets[life.size] -= 1
            what, line = BUCKET, ""
        alike[what, line, life.size] += 1
    held = [Held(size * count, count, what, line) for (what, line, size), count in alike.items()]
    return tuple(sorted(held, key=lambda each: -each.bytes))


def _what(life: Life) -> str:
    return OLDER if life.birth is None else KEPT
