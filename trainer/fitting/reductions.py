"""What a CUDA device needs beside tensors: the buffers of its sums, and cuBLAS's workspaces.

A sum whose outputs are too few to keep the card busy is cut into parts, which blocks of threads add
up for themselves into a buffer of partial sums, with a counter for each group of blocks. The rule
is that of PyTorch's `setReduceConfig` (ATen/native/cuda/Reduce.cuh) for a contiguous float32 array
of two dimensions, summed over the first: the gradient of a bias.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
from vramtop.observer.accounts import unaccounted
from vramtop.trainer.device.alloc_conf import divisions, unmodelled

from .workspaces import handle_bytes, lt_bytes

_FLOAT_BYTES = 4
_COUNTER_BYTES = 4
_BLOCK_THREADS = 512  # at most
_WARP = 32
_VECTOR = 4  # floats that one thread loads at once
_LONG = 128  # a sum of more inputs than that is loaded in vectors, where there is one output
_LEAST, _MOST = 16, 256  # inputs that one thread adds up, where it can be chosen


@dataclass(frozen=True)
class Card:
    """What sizes within operators depend on.

    `processors` are its multiprocessors, `threads` what each of them holds, `workspace` the bytes
    that a cuBLAS handle takes at its first use and keeps, `lt_workspace` those that cuBLASLt takes
    for itself. The allocator rounds up by `divisions` (see `caching`); `unmodelled` are its other
    settings, which are not known there.
    """

    processors: int = 132
    threads: int = 2048
    workspace: int = 33_554_432
    lt_workspace: int = 0
    divisions: tuple[int, ...] = ()
    unmodelled: tuple[str, ...] = ()


# Where there is none to ask; the numbers above are its own.
ASSUMED = "H100"


def card(device: torch.device) -> Card | None:
    """The card that this CUDA device is; None on another one, or without an account of it."""
    if device.type != "cuda" or unaccounted(device):
        return None
    properties = torch.cuda.get_device_properties(device)
    return Card(
        properties.multi_processor_count,
        properties.max_threads_per_multi_processor,
        handle_bytes(device),
        lt_bytes(),
        divisions(os.environ),
        unmodelled(os.environ),
    )


def sum_buffers(rows: int, columns: int, card: Card) -> tuple[int, int]:
    """Bytes of partial sums and of counters that a sum of (rows, columns) over its rows takes."""
    vector = 1
    width, height = columns, rows
    along_rows = columns == 1  # then the rows are what lies side by side
    if along_rows:
        width, height = rows, 1
        if rows > _LONG:
            width //= _VECTOR
    else:
        vector = next(size for size in (4, 2, 1) if columns % size == 0)
        width //= vector
    block_width, block_height = _block(width, height, _BLOCK_THREADS // vector)
    taken, made = (block_width, 1) if along_rows else (1, block_width)  # inputs, outputs a block
    each = _ceil(rows, taken)
    over_height = each >= block_height * _LEAST or each >= _MOST
    if over_height:
        taken *= block_height
    else:
        made *= block_height
    each = _ceil(rows, taken)
    blocks = _ceil(columns // vector, made)
    room = card.processors * (card.threads // (block_width * block_height))
    if not over_height or each < _MOST or blocks > room:
        return 0, 0
    parts = max(min(_ceil(room, blocks), _ceil(each, _LEAST)), _ceil(each, _MOST))
    if parts == 1:
        return 0, 0
    size = _FLOAT_BYTES * columns * parts
    return size * (1 if along_rows else block_width * vector), _COUNTER_BYTES * blocks


def _block(width: int, height: int, most: int) -> tuple[int, int]:
    """A block's width and height in threads, powers of two, at most so many in all."""
    wide, high = (min(1 << (side.bit_length() - 1), most) for side in (width, height))
    block_width = min(wide, _WARP)
    block_height = min(high, most // block_width)
    return min(wide, most // block_height), block_height


def _ceil(number: int, by: int) -> int:
    return -(-number // by)
