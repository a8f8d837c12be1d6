"""Frames: four bytes of length, most significant first, and the JSON of one message."""

from __future__ import annotations

import json
from collections.abc import Iterator

_LENGTH = 4
_LONGEST_QUESTION = 2**20  # bytes; a viewer's frames are small
_AT_ONCE = 2000  # elements of a list


def encode(message: dict[str, object]) -> bytes:
    """One frame."""
    body = "".join(_pieces(message)).encode()
    return len(body).to_bytes(_LENGTH, "big") + body


def _pieces(value: object) -> Iterator[str]:
    """The JSON of a value, a part at a time.

    Python's encoder lets no other thread run while it works. Between two parts the program can.
    """
    if isinstance(value, dict):
        yield "{"
        for place, (name, each) in enumerate(value.items()):
            yield f"{',' if place else ''}{json.dumps(name)}:"
            yield from _pieces(each)
        yield "}"
    elif isinstance(value, list | tuple) and len(value) > _AT_ONCE:
        yield "["
        for start in range(0, len(value), _AT_ONCE):
            yield "," if start else ""
            yield json.dumps(value[start : start + _AT_ONCE], separators=(",", ":"))[1:-1]
        yield "]"
    else:
        yield json.dumps(value, separators=(",", ":"))


class Reader:
    """Puts frames together from bytes that arrive in any pieces."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[dict[str, object]]:
        """The messages that these bytes complete. Raises `ValueError` at anything else."""
        self._pending += data
        while len(self._pending) >= _LENGTH:
            size = int.from_bytes(self._pending[:_LENGTH], "big")
            if size > _LONGEST_QUESTION:
                raise ValueError("a frame is too long")
            if len(self._pending) < _LENGTH + size:
                return
            message = json.loads(self._pending[_LENGTH : _LENGTH + size])
            del self._pending[: _LENGTH + size]
            if not isinstance(message, dict):
                raise ValueError("a frame holds no message")
            yield message
