"""Finds the category of each block.

A sighting says that at a place the memory at an address belongs to an owner. It holds for the block
that has the address there, from its birth to its release. The first rule that fits decides:

1. `parameters`, `optimizer_state`, `gradients`, in this order: it was sighted as one.
2. `batch_data`, in any of these cases:
   - It was sighted as the input of a call, and not made inside a call.
   - It was made in `load`, and is alive when the next call of its period begins.
   - It was made between two calls that lead to one backward, after a part of the second call's
     batch, and is alive when that call begins.
   - It was fetched ahead: made between a call and its backward, alive when the next call begins,
     by a line that also made something there that went into a call.
3. `activations`: made by forward, the loss included, and alive when the next backward begins.
4. `temporaries`: anything else made in the window. This includes what checkpointing computes again
   inside a backward. In inference, where no backward comes, it is all that forward makes, the
   output too.
5. `other`: older than the window.

A block of the first period that no owner has, and that is alive at the window's end, is `other`:
two periods have passed and the program keeps it. One that is released in the second period stays
what it was in the first: a loss or an output is held by its variable until the next one replaces
it. For the same reason a block that is kept counts as a batch only if it went into a call of the
second period.

`workspace` is memory of cuBLAS: it would be `other`, is never released, has exactly a workspace's
size, and no tensor lies in it. In the program's first step, with no period before it, cuBLAS may
have made it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Literal, TypeAlias

from vramtop.protocol.observed.record import Owner, Sighting, WatchedStep
from vramtop.protocol.split import Category

from .blocks import Block, Blocks
from .phases import Stretch, Timeline

Belonging: TypeAlias = Category | Literal["workspace"]
Sightings: TypeAlias = dict[Block, list[Sighting]]

_HOLDERS: tuple[Owner, ...] = ("parameters", "optimizer_state", "gradients")


def sightings_of(step: WatchedStep, blocks: Blocks) -> Sightings:
    """The sightings in each block; those in no block are left out."""
    found: Sightings = {}
    for sighting in step.sightings:
        block = blocks.at(sighting.address, sighting.place)
        if block is not None:
            found.setdefault(block, []).append(sighting)
    return found


def belongings_of(
    step: WatchedStep, blocks: Blocks, timeline: Timeline, sightings: Sightings
) -> dict[Block, Belonging]:
    """What each block belongs to."""
    judge = _Judge(step, blocks, timeline, sightings)
    return {block: judge.belonging(block) for block in blocks}


class _Judge:
    def __init__(
        self,
        step: WatchedStep,
        blocks: Blocks,
        timeline: Timeline,
        sightings: Sightings,
    ) -> None:
        self._cut = step.cut
        calls = [each.begin for each in timeline.watched if each.since.kind == "call"]
        self._watched_call = calls[0] if calls else None
        self._timeline = timeline
        self._sightings = sightings
        self._calls = [mark.place for mark in step.marks if mark.kind == "call"]
        self._backwards = [mark.place for mark in step.marks if mark.kind == "backward"]
        self._workspace_sizes = frozenset(step.workspace_sizes)
        end = len(blocks.of_event)
        self._with_tensors = {blocks.at(address, end) for address in step.tensors}
        fetched = [
            block
            for block in sightings
            if self._made_after_call(block) and self._went_into_call(block)
        ]
        self._fetching_lines = {block.line for block in fetched if block.line >= 0}
        self._fetching_since: dict[Stretch, int] = {}
        for block in fetched:
            stretch = self._birth(block)
            if stretch is not None and block.birth is not None:
                since = self._fetching_since.setdefault(stretch, block.birth)
                self._fetching_since[stretch] = min(since, block.birth)

    def belonging(self, block: Block) -> Belonging:
        owners = {sighting.owner for sighting in self._sightings.get(block, ())}
        for owner in _HOLDERS:
            if owner in owners:
                return owner
        stretch = self._birth(block)
        if self._went_into_call(block) and not (stretch is not None and stretch.called):
            return "batch_data"
        if stretch is None or self._kept(block) or self._cut == 0:
            if self._is_workspace(block):
                return "workspace"
            if stretch is None or self._kept(block):
                return "other"
        if stretch.phase == "load" and stretch.before_call:
            return "batch_data" if _lasts_until(block, self._calls) else "temporaries"
        if stretch.phase != "forward":
            return "temporaries"
        if not stretch.called and (
            self._fetched_ahead(block) or self._fetched_along(block, stretch)
        ):
            return "batch_data"
        return "activations" if _lasts_until(block, self._backwards) else "temporaries"

    def _birth(self, block: Block) -> Stretch | None:
        """The stretch in which it was made, None if it is older than the window."""
        return None if block.birth is None else self._timeline.at(block.birth)

    def _kept(self, block: Block) -> bool:
        """Whether the program keeps it from the first period beyond the second."""
        return block.release is None and (block.birth is None or block.birth < self._cut)

    def _went_into_call(self, block: Block) -> bool:
        """Whether it was sighted as a batch, of the second period if the program keeps it."""
        since = self._watched_call if self._kept(block) else 0
        return since is not None and any(
            sighting.owner == "batch_data" and sighting.place >= since
            for sighting in self._sightings.get(block, ())
        )

    def _made_after_call(self, block: Block) -> bool:
        """Whether it was made by forward outside the calls: between two, or before backward."""
        stretch = self._birth(block)
        return stretch is not None and stretch.phase == "forward" and not stretch.called

    def _fetched_ahead(self, block: Block) -> bool:
        """Whether its line fetches batches, and it awaits a call, of this window or a later one."""
        awaits = block.release is None or _lasts_until(block, self._calls)
        return awaits and block.line in self._fetching_lines

    def _fetched_along(self, block: Block, stretch: Stretch) -> bool:
        """Whether it was made after a part of the batch of the call that comes next."""
        since = self._fetching_since.get(stretch)
        return (
            stretch.until.kind == "call"
            and since is not None
            and block.birth is not None
            and block.birth >= since
            and block.alive_at(stretch.end)
        )

    def _is_workspace(self, block: Block) -> bool:
        return (
            block.release is None
            and block.size in self._workspace_sizes
            and block not in self._with_tensors
        )


def _lasts_until(block: Block, places: Sequence[int]) -> bool:
    """Whether it is alive at the first of these places that comes after its birth."""
    assert block.birth is not None
    following = bisect_right(places, block.birth)
    return following < len(places) and block.alive_at(places[following])
