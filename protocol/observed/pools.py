"""What the caching allocator of a GPU has, as it is told between watched steps."""

from __future__ import annotations

import msgspec


class Pool(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The memory that the caching allocator of a GPU has from the driver, in bytes.

    `uuid` is the GPU's, without a prefix. All that was ever taken from the driver and given back is
    the `turnover`: where it is the same at two moments, the pool has not changed between them.
    """

    device: str
    uuid: str
    reserved: int
    turnover: int


class Level(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The least that a GPU's allocator had given out right after a step, in bytes as asked for.

    It was so after this step, of those that were looked at since the progress told before.
    """

    device: str
    step: int
    bytes: int
