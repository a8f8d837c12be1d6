"""What is nobody's, alike blocks together, so that a person can guess what it is."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from vramtop.protocol.observed.record import WatchedStep
from vramtop.protocol.observed.report import Held

from .lives import Life
from .origins import line_of

OLDER = "older than both recorded steps"
KEPT = "kept since the step before"
BUCKET = "DistributedDataParallel's buckets"
AUTOCAST = "autocast's copies of parameters"


def known_of(
    step: WatchedStep, lives: Iterable[Life], holders: Mapping[int, str]
) -> dict[Life, str]:
    """What is known of these lives, by whom the program says that it holds them, or by PyTorch.

    A bucket of DistributedDataParallel is known by its exact size, each once; so is a copy that
    autocast keeps, in which no tensor of Python's lies.
    """
    buckets, with_tensors = Counter(step.bucket_sizes), set(step.tensors)
    copies = Counter(step.autocast_sizes if with_tensors else ())
    known: dict[Life, str] = {}
    for life in lives:
        if holder := holders.get(life.address):
            known[life] = holder
        elif buckets[life.size]:
            buckets[life.size] -= 1
            known[life] = BUCKET
        elif copies[life.size] and life.address not in with_tensors:
            copies[life.size] -= 1
            known[life] = AUTOCAST
    return known


def other_of(
    step: WatchedStep, lives: Iterable[Life], known: Mapping[Life, str]
) -> tuple[Held, ...]:
    """These lives by what they are, and by size where that is not known; the most bytes first."""
    alike: defaultdict[tuple[str, str, int], list[Life]] = defaultdict(list)
    for life in lives:
        if life in known:
            alike[known[life], "", 0].append(life)
        else:
            what = OLDER if life.birth is None else KEPT
            alike[what, line_of(step, life.line), life.size].append(life)
    held = [
        Held(sum(life.size for life in group), len(group), what, line or _line(step, what, group))
        for (what, line, _), group in alike.items()
    ]
    return tuple(sorted(held, key=lambda each: -each.bytes))


def _line(step: WatchedStep, what: str, group: Iterable[Life]) -> str:
    """The line that allocated all of them, if it is one; PyTorch's own needs none."""
    lines = {line_of(step, life.line) for life in group}
    return lines.pop() if len(lines) == 1 and what not in (BUCKET, AUTOCAST) else ""
