"""The scratch buffers that a sum takes inside its operator on a CUDA device.

A sum with too few outputs to keep the GPU busy is cut into parts. Blocks of threads add each part
up into a buffer of partial sums, with a counter for each group of blocks. The rule is PyTorch's
`setReduceConfig` (ATen/native/cuda/Reduce.cuh) for a contiguous float32 array of two dimensions,
summed over the first: the gradient of a bias.
"""

from __future__ import annotations

PROCESSORS, THREADS = 132, 2048  # of an H100

_FLOAT_BYTES = 4
_COUNTER_BYTES = 4
_BLOCK_THREADS = 512  # at most
_WARP = 32
_VECTOR = 4  # floats that one thread loads at once
_LONG = 128  # with one output, more inputs than this are loaded in vectors
_LEAST, _MOST = 16, 256  # inputs that one thread adds up, where there is a choice


def sum_buffers(
    rows: int, columns: int, processors: int = PROCESSORS, threads: int = THREADS
) -> tuple[int, int]:
    """Bytes of partial sums and of counters that a sum of (rows, columns) over its rows takes.

    The GPU has so many multiprocessors, each of which holds so many threads.
    """
    vector = 1
    width, height = columns, rows
    along_rows = columns == 1  # then the rows lie side by side in memory
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
    room = processors * (threads // (block_width * block_height))
    if not over_height or each < _MOST or blocks > room:
        return 0, 0
    parts = max(min(_ceil(room, blocks), _ceil(each, _LEAST)), _ceil(each, _MOST))
    if parts == 1:
        return 0, 0
    size = _FLOAT_BYTES * columns * parts
    return size * (1 if along_rows else block_width * vector), _COUNTER_BYTES * blocks


def _block(width: int, height: int, most: int) -> tuple[int, int]:
    """A block's width and height in threads: powers of two, at most `most` threads in all."""
    wide, high = (min(1 << (side.bit_length() - 1), most) for side in (width, height))
    block_width = min(wide, _WARP)
    block_height = min(high, most // block_width)
    return min(wide, most // block_height), block_height


def _ceil(number: int, by: int) -> int:
    return -(-number // by)
