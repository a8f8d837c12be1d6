"""A simulation of PyTorch's caching allocator: the blocks and segments that requests lead to.

The rules are those of c10/cuda/CUDACachingAllocator.cpp for one stream. A request is rounded up to
blocks of 512 bytes. Requests up to 1 MiB come from segments of 2 MiB, those below 10 MiB from
segments of 20 MiB, larger ones from a segment of their own, in multiples of 2 MiB. The smallest
free block that is large enough is taken, and split where the rest is worth keeping. Of the
allocator's options only `roundup_power2_divisions` is simulated.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator

_BLOCK = 512
_SMALL = 2**20
_SMALL_SEGMENT = 2 * 2**20
_MEDIUM = 10 * 2**20
_MEDIUM_SEGMENT = 20 * 2**20
_SEGMENT_STEP = 2 * 2**20


class NoRoom(Exception):
    """A request would make the allocator reserve more than its limit; `reserved` bytes in all."""

    def __init__(self, reserved: int) -> None:
        super().__init__(f"{reserved:,} B")
        self.reserved = reserved


class Block:
    """A piece of a segment between its neighbours; `requested` is None while it is free."""

    __slots__ = ("address", "next", "previous", "requested", "size", "small")

    def __init__(self, size: int, address: tuple[int, int], *, small: bool) -> None:
        self.size = size
        self.address = address  # the segment's number, and the offset in it
        self.small = small
        self.requested: int | None = None
        self.previous: Block | None = None
        self.next: Block | None = None

    @property
    def whole(self) -> bool:
        """Whether the block is a whole segment."""
        return self.previous is None and self.next is None


class _FreeBlocks:
    """The free blocks of small or of large requests, the smallest first."""

    def __init__(self) -> None:
        self._keys: list[tuple[int, tuple[int, int]]] = []
        self._blocks: dict[tuple[int, tuple[int, int]], Block] = {}

    def __iter__(self) -> Iterator[Block]:
        return iter(self._blocks.values())

    def add(self, block: Block) -> None:
        key = (block.size, block.address)
        self._blocks[key] = block
        insort(self._keys, key)

    def remove(self, block: Block) -> None:
        key = (block.size, block.address)
        del self._blocks[key]
        del self._keys[bisect_left(self._keys, key)]

    def smallest(self, size: int) -> Block | None:
        """The smallest one that is large enough, of several the first."""
        at = bisect_left(self._keys, (size, (0, 0)))
        return self._blocks[self._keys[at]] if at < len(self._keys) else None


class Allocator:
    """Bytes requested, allocated (rounded up) and reserved from the driver, with their peaks."""

    def __init__(self, limit: int | None = None, divisions: tuple[int, ...] = ()) -> None:
        self.limit = limit
        self._divisions = divisions
        self.requested = self.allocated = self.reserved = 0
        self.peak_requested = self.peak_allocated = self.peak_reserved = 0
        self._small, self._large = _FreeBlocks(), _FreeBlocks()
        self._made = 0  # segments so far

    @property
    def inactive(self) -> int:
        """Free bytes in segments that also hold live ones."""
        pools = (self._small, self._large)
        return sum(block.size for free in pools for block in free if not block.whole)

    def reset_peaks(self) -> None:
        """Peaks count from now on."""
        self.peak_requested, self.peak_allocated = self.requested, self.allocated
        self.peak_reserved = self.reserved

    def take(self, size: int) -> Block:
        """A block for `size` bytes; raises `NoRoom` where that would exceed the limit."""
        rounded = self._rounded(size)
        free = self._small if rounded <= _SMALL else self._large
        block = free.smallest(rounded)
        if block is None:
            block = self._segment(rounded)
        else:
            free.remove(block)
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
        """Free the block and merge it with free neighbours."""
        assert block.requested is not None
        self.requested -= block.requested
        self.allocated -= block.size
        block.requested = None
        before, after = block.previous, block.next
        if after is not None and after.requested is None:
            self._pool(after).remove(after)
            self._merge(block, after)
        if before is not None and before.requested is None:
            self._pool(before).remove(before)
            self._merge(before, block)
            block = before
        self._pool(block).add(block)

    def empty(self) -> None:
        """Give whole free segments back to the driver."""
        for free in (self._small, self._large):
            for block in [block for block in free if block.whole]:
                free.remove(block)
                self.reserved -= block.size

    def _pool(self, block: Block) -> _FreeBlocks:
        return self._small if block.small else self._large

    def _rounded(self, size: int) -> int:
        """`size` rounded up to whole blocks, or to a fraction of a power of two.

        The first of the divisions holds for sizes below 2 MiB, the next below 4 MiB, and so on.
        """
        if self._divisions and size > 0:
            index = max(0, size.bit_length() - _SMALL.bit_length())
            division = self._divisions[min(index, len(self._divisions) - 1)]
            if division > 1 and size > _BLOCK * division:
                part = (1 << (size.bit_length() - 1)) // division
                return -(-size // part) * part
        return max(_BLOCK, -(-size // _BLOCK) * _BLOCK)

    def _segment(self, size: int) -> Block:
        """A new segment; the cache is emptied first if the limit requires it."""
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
        self._made += 1
        return Block(taken, (self._made, 0), small=small)

    def _split(self, block: Block, size: int) -> None:
        segment, before = block.address
        rest = Block(block.size - size, (segment, before + size), small=block.small)
        rest.previous, rest.next = block, block.next
        if block.next is not None:
            block.next.previous = rest
        block.next = rest
        block.size = size
        self._pool(rest).add(rest)

    def _merge(self, block: Block, after: Block) -> None:
        block.size += after.size
        block.next = after.next
        if after.next is not None:
            after.next.previous = block
