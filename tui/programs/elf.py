"""Where a running process has a function: read from its maps and from the files that it mapped.

A debugger would read all symbols while the process stands still; a handful can be found before.
"""

from __future__ import annotations

import re
import struct
from pathlib import Path

import msgspec

_MAPPED = re.compile(r"([0-9a-f]+)-[0-9a-f]+ \S+ 0+ \S+ \d+ +(/.*)")  # from a file's begin on
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_DYNAMIC_SYMBOLS, _LOADED, _FIXED = 11, 1, 2


class NotRead(Exception):
    """The file is none that is understood here."""


class Mapped(msgspec.Struct, frozen=True):
    """A file in the memory of a process: its path there, and where its first byte lies."""

    path: str
    start: int


def mapped(pid: int) -> list[Mapped]:
    """The files that a process has mapped; raises `OSError`."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    found = filter(None, map(_MAPPED.fullmatch, lines))
    return [Mapped(each[2], int(each[1], 16)) for each in found]


def machine(path: Path) -> int:
    """The number of the processor for which a file is built; raises `OSError` and `NotRead`."""
    with path.open("rb") as file:
        return _header(file.read(_HEADER.size))[2]


def functions(file: Mapped, pid: int, names: tuple[str, ...]) -> dict[str, int]:
    """The addresses of these functions in a process, as far as this file has them.

    Raises `OSError` and `NotRead`.
    """
    content = memoryview(Path(f"/proc/{pid}/root{file.path}").read_bytes())
    header = _header(content)
    try:
        return _found(content, header, file.start, {name.encode() for name in names})
    except (struct.error, IndexError) as error:
        raise NotRead(file.path) from error


def _header(content: bytes | memoryview) -> tuple[int, ...]:
    if len(content) < _HEADER.size or bytes(content[:6]) != b"\x7fELF\x02\x01":
        raise NotRead
    fields: tuple[int, ...] = _HEADER.unpack_from(content)
    return fields


def _found(
    content: memoryview, header: tuple[int, ...], start: int, names: set[bytes]
) -> dict[str, int]:
    kind, segments_at, sections_at = header[1], header[5], header[6]
    segments = [
        _SEGMENT.unpack_from(content, segments_at + place * _SEGMENT.size)
        for place in range(header[10])
    ]
    first = min((each[3] for each in segments if each[0] == _LOADED), default=0)
    moved = 0 if kind == _FIXED else start - first
    sections = [
        _SECTION.unpack_from(content, sections_at + place * _SECTION.size)
        for place in range(header[12])
    ]
    addresses = {}
    for section in sections:
        if section[1] == _DYNAMIC_SYMBOLS:
            text = bytes(content[sections[section[6]][4] :][: sections[section[6]][5]])
            for name_at, _, _, where, value, _ in _SYMBOL.iter_unpack(
                content[section[4] : section[4] + section[5]]
            ):
                name = text[name_at : text.index(b"\0", name_at)]
                if where and name in names:
                    addresses[name.decode()] = value + moved
    return addresses
