"""PyTorch's caching allocator in numbers: the blocks and segments that a series of requests makes.

The rules are those of c10/cuda/CUDACachingAllocator.cpp with its default settings, for one stream:
requests in blocks of 512 bytes; up to 1 MiB from segments of 2 MiB, less than 10 MiB from segments
of 20 MiB, more in segments of its own size in whole 2 MiB; the smallest free block that is large
enough, split where what remains is worth keeping.
"""

from __future__ import annotations

_BLOCK = 512
_SMALL = 2**20
_SMALL_SEGMENT = 2 * 2**20
_MEDIUM = 10 * 2**20
_MEDIUM_SEGMENT = 20 * 2**20
_SEGMENT_STEP = 2 * 2**20


class NoRoom(Exception):
    """A request would take more from the driver than the limit allows, in bytes."""

    def __init__(self, reserved: int) -> None:
        super().__init__(f"{reserved:,} B")
        self.reserved = reserved


class Block:
    """A piece of a segment between its neighbours; `requested` is None while it is free."""

    __slots__ = ("next", "number", "previous", "requested", "size", "small")

    def __init__(self, size: int, number: int, *, small: bool) -> None:
        self.size = size
        self.number = number  # in the order of addresses within a segment, of making beyond
        self.small = small
        self.requested: int | None = None
        self.previous: Block | None = None
        self.next: Block | None = None

    @property
    def whole(self) -> bool:
        """Whether it is a segment by itself."""
        return self.previous is None and self.next is None


class Allocator:
    """What is live, and what the driver has been asked for, in bytes; both with their peaks."""

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit
        self.requested = self.allocated = self.reserved = 0
        self.peak_requested = self.peak_allocated = self.peak_reserved = 0
        self._free: set[Block] = set()
        self._made = 0  # blocks so far

    @property
    def inactive(self) -> int:
        """Free bytes in segments that also hold live ones."""
        return sum(block.size for block in self._free if not block.whole)

    def reset_peaks(self) -> None:
        """The peaks are those from now on."""
        self.peak_requested, self.peak_allocated = self.requested, self.allocated
        self.peak_reserved = self.reserved

    def take(self, size: int) -> Block:
        """A block for `size` bytes; raises `NoRoom` where the limit stands against it."""
        rounded = max(_BLOCK, -(-size // _BLOCK) * _BLOCK)
        block = self._find(rounded) or self._segment(rounded)
        self._free.discard(block)
        remaining = block.size - rounded
        if remaining >= _BLOCK if block.small else remaining > _SMALL:
            self._split(block, rounded)
        block.requested = size
        self.requested += size
        self.allocated += block.size
        self.peak_requested = max(self.peak_requested, self.requested)
        self.peak_allocated = max(self.peak_allocated, self.allocated)
        return block

    def give(self, block: Block) -> None:
        """The block is free again, and one with its free neighbours."""
        assert block.requested is not None
        self.requested -= block.requested
        self.allocated -= block.size
        block.requested = None
        before, after = block.previous, block.next
        if after is not None and after.requested is None:
            self._merge(block, after)
        if before is not None and before.requested is None:
            self._merge(before, block)
            block = before
        self._free.add(block)

    def empty(self) -> None:
        """Give whole free segments back to the driver."""
        for block in [block for block in self._free if block.whole]:
            self._free.remove(block)
            self.reserved -= block.size

    def _find(self, size: int) -> Block | None:
        small = size <= _SMALL
        fitting = (block for block in self._free if block.small == small and block.size >= size)
        return min(fitting, key=lambda block: (block.size, block.number), default=None)

    def _segment(self, size: int) -> Block:
        """A new segment, for which the cache is emptied if need be."""
        small = size <= _SMALL
        if small:
            taken = _SMALL_SEGMENT
        elif size < _MEDIUM:
            taken = _MEDIUM_SEGMENT
        else:
            taken = -(-size // _SEGMENT_STEP) * _SEGMENT_STEP
        if self.limit is not None and self.reserved + taken > self.limit:
            self.empty()
            if self.reserved + taken > self.limit:
                raise NoRoom(self.reserved + taken)
        self.reserved += taken
        self.peak_reserved = max(self.peak_reserved, self.reserved)
        return self._block(taken, small=small)

    def _block(self, size: int, *, small: bool) -> Block:
        self._made += 1
        return Block(size, self._made, small=small)

    def _split(self, block: Block, size: int) -> None:
        rest = self._block(block.size - size, small=block.small)
        rest.previous, rest.next = block, block.next
        if block.next is not None:
            block.next.previous = rest
        block.next = rest
        block.size = size
        self._free.add(rest)

    def _merge(self, block: Block, after: Block) -> None:
        self._free.discard(after)
        block.size += after.size
        block.next = after.next
        if after.next is not None:
            after.next.previous = block
