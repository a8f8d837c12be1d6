"""What a planted fault is."""

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    """In `file`, `old` (which stands there once) is replaced by `new`; `tests` are to notice."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
