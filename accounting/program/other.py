"""The blocks in *other*, grouped by what is known of them, or by age, line and size."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from vramtop.protocol.observed.record import WatchedStep
from vramtop.protocol.observed.report import Held

from .blocks import Block
from .origins import line_of
from .ownership import Belonging, Sightings

OLDER = "older than both recorded steps"
KEPT = "kept since the step before"
BUCKET = "DistributedDataParallel's buckets"
AUTOCAST = "autocast's copies of parameters"


def known_of(
    step: WatchedStep, blocks: Iterable[Block], holders: Mapping[int, str]
) -> dict[Block, str]:
    """What these blocks are, where that is known: who holds them, by address, or PyTorch itself.

    A block is taken for a bucket of DistributedDataParallel if it has exactly the size of one that
    no other block was taken for; likewise for a copy that autocast keeps, if no Python tensor lies
    in it.
    """
    buckets, with_tensors = Counter(step.bucket_sizes), set(step.tensors)
    copies = Counter(step.autocast_sizes if with_tensors else ())
    known: dict[Block, str] = {}
    for block in blocks:
        if holder := holders.get(block.address):
            known[block] = holder
        elif buckets[block.size]:
            buckets[block.size] -= 1
            known[block] = BUCKET
        elif copies[block.size] and block.address not in with_tensors:
            copies[block.size] -= 1
            known[block] = AUTOCAST
    return known


def left_behind(
    step: WatchedStep, belongings: Mapping[Block, Belonging], sightings: Sightings
) -> tuple[Held, ...]:
    """What the first period has made and the program keeps beyond the second, by line.

    A batch that was fetched ahead is among it only if it went into calls of both periods.
    """
    by_line: defaultdict[str, list[int]] = defaultdict(list)
    for block, belonging in belongings.items():
        if block.release is None and block.birth is not None and block.birth < step.cut:
            again = any(each.place < step.cut for each in sightings.get(block, ()))
            if belonging == "other" or (belonging == "batch_data" and again):
                by_line[line_of(step, block.line)].append(block.size)
    held = [Held(sum(sizes), len(sizes), KEPT, line) for line, sizes in by_line.items()]
    return tuple(sorted(held, key=lambda each: -each.bytes))


def other_of(
    step: WatchedStep, blocks: Iterable[Block], known: Mapping[Block, str]
) -> tuple[Held, ...]:
    """These blocks in groups: by what they are, else by age, line and size; most bytes first."""
    alike: defaultdict[tuple[str, str, int], list[Block]] = defaultdict(list)
    for block in blocks:
        if block in known:
            alike[known[block], "", 0].append(block)
        else:
            what = OLDER if block.birth is None else KEPT
            alike[what, line_of(step, block.line), block.size].append(block)
    held = [
        Held(sum(block.size for block in group), len(group), what, line or _line(step, what, group))
        for (what, line, _), group in alike.items()
    ]
    return tuple(sorted(held, key=lambda each: -each.bytes))


def _line(step: WatchedStep, what: str, group: Iterable[Block]) -> str:
    """The line that allocated all of them, if there is one such; none for PyTorch's own blocks."""
    lines = {line_of(step, block.line) for block in group}
    return lines.pop() if len(lines) == 1 and what not in (BUCKET, AUTOCAST) else ""
