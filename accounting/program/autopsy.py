"""The autopsy of an out of memory: what was held, what was free in pieces, and what pinned it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec
from vramtop.protocol.observed.autopsy import AliveBlock, Autopsy, FreePieces, Other, Pinned
from vramtop.protocol.observed.record import Block, OutOfMemory, Segment, Sighting

from .naming import label_of
from .remedies import remedies

SMALL_SEGMENT = 2 * 2**20  # bytes that the allocator asks for where a small request needs a segment
_LARGEST, _PINNED = 5, 3


def autopsy(denied: OutOfMemory, others: tuple[Other, ...] | None = None) -> Autopsy:
    """What is known of a denied request; `others` are the other processes, None where unknown."""
    owned = denied.parameters + (denied.gradients or 0) + denied.optimizer_state
    blocks = _Blocks(denied)
    found = Autopsy(
        count=denied.count,
        wanted=denied.wanted,
        free=denied.free,
        limit=denied.limit,
        device_total=denied.device_total,
        line=denied.line,
        module=denied.module,
        phase=None if denied.phase == "outside" else denied.phase,
        operator=denied.operator,
        optimizer=denied.optimizer,
        steps=denied.steps,
        inputs=denied.inputs,
        reserved=denied.reserved,
        in_use=denied.requested,
        parameters=denied.parameters,
        gradients=denied.gradients,
        optimizer_state=denied.optimizer_state,
        rest=max(0, denied.requested - owned),
        outside=max(0, denied.device_total - denied.device_free - denied.reserved),
        free_pieces=blocks.free_pieces() if denied.segments else None,
        largest=blocks.largest(),
        pinned=blocks.pinned(),
        suggestions=(),
        others=others,
    )
    return msgspec.structs.replace(found, suggestions=remedies(denied, found))


class _Blocks:
    """The allocator's blocks, and whose they are."""

    def __init__(self, denied: OutOfMemory) -> None:
        self._denied = denied
        self._sighted: defaultdict[int, list[Sighting]] = defaultdict(list)
        for sighting in denied.sightings:
            self._sighted[sighting.address].append(sighting)
        self._kind = "small" if denied.wanted == SMALL_SEGMENT else "large"

    def free_pieces(self) -> FreePieces:
        """What was reserved and free."""
        fitting, elsewhere = [], 0
        for block in self._denied.blocks:
            if not block.requested:
                if self._serves(self._denied.segments[block.segment]):
                    fitting.append(block.size)
                else:
                    elsewhere += block.size
        return FreePieces(sum(fitting), len(fitting), max(fitting, default=0), elsewhere)

    def largest(self) -> tuple[AliveBlock, ...]:
        """The largest blocks in use, the largest first."""
        return tuple(map(self._alive, _largest(self._denied.blocks)[:_LARGEST]))

    def pinned(self) -> tuple[Pinned, ...]:
        """The segments that are mostly free and could have served, those with most of it first.

        An expandable segment is given back in parts, so that nothing pins it.
        """
        parts: defaultdict[int, list[Block]] = defaultdict(list)
        for block in self._denied.blocks:
            parts[block.segment].append(block)
        found = []
        for number, blocks in parts.items():
            segment, used = self._denied.segments[number], _largest(blocks)
            free = sum(block.size for block in blocks if not block.requested)
            mostly = 2 * free > segment.size and not segment.expandable
            if used and mostly and self._serves(segment):
                found.append(Pinned(segment.size, free, len(used), self._alive(used[0])))
        return tuple(sorted(found, key=lambda each: -each.free)[:_PINNED])

    def _serves(self, segment: Segment) -> bool:
        """Whether the request could have been served from this segment."""
        alike = (segment.kind, segment.stream) == (self._kind, self._denied.stream)
        return alike and not segment.private

    def _alive(self, block: Block) -> AliveBlock:
        line = self._denied.lines[block.line] if block.line >= 0 else ""
        sighted = self._sighted.get(block.address)
        if not sighted:
            return AliveBlock(block.requested, None, "", line)
        first, more = sighted[0], len(sighted) - 1
        name = self._denied.names[first.name]
        label = label_of(first, name) + (f" and {more:,} more" if more else "")
        return AliveBlock(block.requested, first.owner, label, line, name.shape, name.dtype)


def _largest(blocks: Iterable[Block]) -> Sequence[Block]:
    """The blocks in use, the largest first."""
    return sorted((each for each in blocks if each.requested), key=lambda each: -each.requested)
