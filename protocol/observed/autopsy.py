"""What is known of an out of memory, as `--output` writes it and the screen tells it, in bytes."""

from __future__ import annotations

from typing import Literal

import msgspec

from .record import Input, Module, Owner
from .report import Phase

Remedy = Literal[
    "nothing", "limit", "others", "expandable", "no_grad", "zero_grad", "optimizer", "batch"
]


class Suggestion(msgspec.Struct, frozen=True):
    """What might have helped, and the bytes from which that follows.

    - `nothing`: the request is larger than the whole device, which has so many.
    - `limit`: the program's own limit denied it; the device had so many free.
    - `others`: most of the device is held outside this program's allocator, so many.
    - `expandable`: so many were free in pieces; expandable segments need no whole ones.
    - `no_grad`: an evaluation kept for a backward pass what it made; the rest had so many.
    - `zero_grad`: gradients of a step before still had so many.
    - `optimizer`: its state was made for the first time, so many up to then.
    - `batch`: what is neither parameters, gradients nor state had most, so many.
    """

    remedy: Remedy
    bytes: int


class AliveBlock(msgspec.Struct, frozen=True):
    """A block in use. `owner` is None where it is nobody's; then its `name` is empty.

    `line` allocated it, empty where that is not known. `shape` and `dtype` are known of what is
    owned.
    """

    bytes: int
    owner: Owner | None
    name: str
    line: str
    shape: tuple[int, ...] | None = None
    dtype: str | None = None


class FreePieces(msgspec.Struct, frozen=True):
    """Memory that is reserved but free: its bytes, in how many pieces, and the largest one.

    These are the pieces that could have served the request; `elsewhere` is what serves only other
    streams, requests of another size, or a pool of its own.
    """

    bytes: int
    pieces: int
    largest: int
    elsewhere: int


class Pinned(msgspec.Struct, frozen=True):
    """A segment that is mostly free, but cannot be given back: its bytes, those that are free in
    it, how many blocks are in use there, and the largest of them.
    """

    bytes: int
    free: int
    blocks: int
    by: AliveBlock


class Other(msgspec.Struct, frozen=True):
    """Another process on the GPU; `bytes` include its context, None where NVML does not tell.

    `command` is empty where the process cannot be looked up.
    """

    pid: int
    command: str
    bytes: int | None


class Autopsy(msgspec.Struct, frozen=True, kw_only=True):
    """An out of memory, as it was before anything was freed.

    It is the latest of `count` since somebody watches. `wanted`, `free`, `limit` and the fields
    from `line` to `inputs` are those of the observer's message; `phase` is None where it is not
    known. Of the `reserved` bytes, `in_use` are made up of `parameters`, `gradients`,
    `optimizer_state` and the `rest`; gradients are None where they are in the rest. `outside` is
    what the device held beside the allocator: other processes, CUDA's own, the driver's.
    `free_pieces` is None where the allocator did not tell. `others` are the other processes that
    NVML named right after it, those with the most bytes first; None where nobody was asked.
    """

    count: int
    wanted: int
    free: int
    limit: int
    device_total: int
    line: str
    module: Module | None
    phase: Phase | None
    operator: str
    optimizer: str
    steps: int | None
    inputs: tuple[Input, ...]
    reserved: int
    in_use: int
    parameters: int
    gradients: int | None
    optimizer_state: int
    rest: int
    outside: int
    free_pieces: FreePieces | None
    largest: tuple[AliveBlock, ...]
    pinned: tuple[Pinned, ...]
    suggestions: tuple[Suggestion, ...]
    others: tuple[Other, ...] | None = None
