"""Recordings of sessions: files with all messages, from which a session can be shown again.

The first line is a header, every other line an envelope, both as JSON. Envelopes are in the order
in which they arrived. No torch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
from vramtop.protocol.gpus import GpusReport
from vramtop.protocol.messages import VERSION

from .envelope import Envelope
from .framing import FromWorker

FORMAT = 1
_HEADER_BYTES = 4096  # at most; a file that is no recording may have no line ends

Recorded: TypeAlias = FromWorker | GpusReport


class RecordingError(Exception):
    """A file that cannot be read as a recording; the text is one line."""


class _Format(msgspec.Struct, frozen=True):
    """The part of the header that is the same in all formats."""

    format: int = msgspec.field(name="vramtop_recording")


class Header(_Format, frozen=True):
    """The format, the protocol of the messages, and the version of vramtop that recorded them."""

    protocol: int
    vramtop: str


class Writer:
    """Writes a recording to `path`; an existing file is replaced.

    A context manager. Each envelope is in the file once `write` returns. All methods raise
    `OSError` where the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._add(Header(FORMAT, VERSION, version("vramtop-lab")))

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, envelope: Envelope[Recorded]) -> None:
        """Add an envelope at the end."""
        self._add(_spell_out(msgspec.to_builtins(envelope)))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _add(self, content: object) -> None:
        self._file.write(msgspec.json.encode(content) + b"\n")
        self._file.flush()


class Reader:
    """The envelopes of the recording at `path`; can be iterated several times.

    Raises `RecordingError` where the file is no recording, or has another format or protocol. The
    iteration raises it at a line that is no envelope. `OSError` is passed on.

    An incomplete last line is left out. Once the iteration has reached it, `cut_off` says so in one
    line of text.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.cut_off: str | None = None
        with path.open("rb") as file:
            self.header = _header(path, file.readline(_HEADER_BYTES))

    def __iter__(self) -> Iterator[Envelope[Recorded]]:
        # Not strict: a number that JSON lacks is written as a string.
        decoder: Any = msgspec.json.Decoder(Envelope[Recorded], strict=False)
        with self._path.open("rb") as file:
            file.readline()
            for number, line in enumerate(file, 2):
                try:
                    envelope = decoder.decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    complete = isinstance(error, msgspec.ValidationError)
                    if not complete and not line.endswith(b"\n"):
                        self.cut_off = f"{self._path} is cut off in line {number:,}"
                        return
                    raise RecordingError(f"{self._path}, line {number:,}: {error}") from None
                yield envelope


def _header(path: Path, line: bytes) -> Header:
    """The header in the first `line` of the file. Raises `RecordingError`."""
    try:
        form = msgspec.json.decode(line, type=_Format).format
        if form != FORMAT:
            raise RecordingError(
                f"{path} is a recording of format {form}; this vramtop reads format {FORMAT}"
            )
        header = msgspec.json.decode(line, type=Header)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise RecordingError(f"{path} is no recording of vramtop") from None
    if header.protocol != VERSION:
        raise RecordingError(
            f"{path} was recorded by vramtop {header.vramtop} and speaks protocol "
            f"{header.protocol}, not {VERSION}"
        )
    return header


def _spell_out(value: Any) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """The same value with "nan", "inf" and "-inf" for the numbers that JSON lacks."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {key: _spell_out(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_spell_out(each) for each in value]
    return value
