"""What if DistributedDataParallel kept gradients in its buckets alone (gradient_as_bucket_view)?

Its buckets are there in any case, with room for all gradients; the copies outside of them go. One
that was made before the second period is then never there. One that backward makes is there until
it was copied: at most until backward makes those of the next module, if its own was called as one.
A function that uses parameters of other modules may make their gradients together. So those of
modules that were never called, as in compiled code, count until backward ends.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from .blocks import Block
from .changed import Change, Idea, Recorded, all_its_life, bytes_of
from .naming import parts_of


def in_buckets(recorded: Recorded) -> Iterator[Idea]:
    """The copies of gradients outside buckets go, where the buckets have room for all."""
    step = recorded.step
    room = sum(bytes_of(name) for name in recorded.names("gradients").values())
    backwards = [each for each in recorded.timeline.watched if each.since.kind == "backward"]
    ends = [mark.place for mark in step.marks if mark.kind == "backward_end"]
    if step.bucket_views or sum(step.bucket_sizes) != room or len(backwards) != 1 or not ends:
        return
    yield Idea(
        "gradients in the buckets of DistributedDataParallel alone",
        "DistributedDataParallel(model, gradient_as_bucket_view=True)",
        "at_most",
        list(_changes(recorded, ends[-1])),
    )


def _changes(recorded: Recorded, end: int) -> Iterator[Change]:
    """What goes, where the only backward ends at this place."""
    born: list[tuple[int, Block]] = []
    for block in recorded.of("gradients"):
        if block.birth is None or block.birth < recorded.step.cut:
            yield all_its_life(block, -block.size)
        else:
            born.append((block.birth, block))
    called = {module.path for module in recorded.step.modules}
    later, following = end, end  # where those of later modules, and of this one, begin
    before: str | None = None
    for birth, block in sorted(born, key=lambda each: -each[0]):
        module = _module(recorded, block)
        if module != before:
            later, before = following, module
        following = birth
        gone = later + 1 if module in called else end
        yield Change(gone, sys.maxsize if block.release is None else block.release, -block.size)


def _module(recorded: Recorded, block: Block) -> str:
    """The module whose gradient this is; of several, that of the first."""
    parts = parts_of(recorded.step, block, "gradients", recorded.sightings)
    return next((part.name.path.rpartition(".")[0] for part in parts), "")
