"""The simulated caching allocator, by the rules for blocks and segments in PyTorch's source."""

from __future__ import annotations

import pytest
from vramtop.accounting.caching import Allocator, NoRoom

MIB = 2**20


def test_blocks_are_whole_512_bytes_and_segments_those_of_their_pool() -> None:
    for size, allocated, reserved in (
        (1, 512, 2 * MIB),
        (513, 1024, 2 * MIB),
        (MIB, MIB, 2 * MIB),
        (MIB + 1, MIB + 512, 20 * MIB),
        (10 * MIB, 10 * MIB, 10 * MIB),
        (11 * MIB, 12 * MIB, 12 * MIB),
        (11 * MIB + 1, 12 * MIB, 12 * MIB),  # the rest is too small to split off
    ):
        allocator = Allocator()
        allocator.take(size)
        assert (allocator.requested, allocator.allocated, allocator.reserved) == (
            size,
            allocated,
            reserved,
        )


def test_freed_neighbours_are_one_block_again() -> None:
    allocator = Allocator()
    blocks = [allocator.take(512 * 1024) for _ in range(4)]
    assert allocator.reserved == 2 * MIB
    for block in (blocks[1], blocks[3], blocks[2]):
        allocator.give(block)
    assert allocator.inactive == 3 * 512 * 1024
    allocator.take(MIB)
    assert allocator.reserved == 2 * MIB


def test_the_smallest_block_that_is_large_enough_is_taken() -> None:
    allocator = Allocator()
    large, small = allocator.take(30 * MIB), allocator.take(12 * MIB)
    allocator.give(large)
    allocator.give(small)
    assert allocator.take(11 * MIB).size == 12 * MIB


def test_at_its_limit_it_empties_the_cache_before_it_refuses() -> None:
    allocator = Allocator(limit=40 * MIB)
    allocator.give(allocator.take(30 * MIB))
    kept = allocator.take(36 * MIB)
    assert (allocator.reserved, allocator.peak_reserved) == (36 * MIB, 36 * MIB)
    with pytest.raises(NoRoom) as refused:
        allocator.take(6 * MIB)
    assert refused.value.reserved == 56 * MIB
    allocator.give(kept)
    assert (allocator.requested, allocator.allocated) == (0, 0)


@pytest.mark.parametrize(
    ("size", "given"),
    [
        (1000, 1024),  # too small for four divisions of at least a block
        (2049, 2560),
        (600 * 1024, 640 * 1024),
        (MIB + 1, MIB + MIB // 4),
        (2 * MIB, 2 * MIB),
        (2 * MIB + 1, 3 * MIB),  # from 2 MiB on, two divisions
        (5 * MIB, 5 * MIB),  # and from 4 MiB on, blocks
        (9 * MIB + 1, 9 * MIB + 512),
    ],
)
def test_sizes_are_rounded_up_to_divisions_of_powers_of_two(size: int, given: int) -> None:
    allocator = Allocator(divisions=(4, 2, 1))
    allocator.take(size)
    assert allocator.allocated == given
