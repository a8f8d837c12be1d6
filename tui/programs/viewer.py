"""The monitor's end of the connection with a program that is observed."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import msgspec
from vramtop.protocol.observed.record import (
    VERSION,
    FromObserver,
    Observed,
    ToObserver,
    Watch,
    Who,
)

GREETING_SECONDS = 5.0
_LENGTH = 4
_LONGEST = 256 * 2**20
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid


class CannotView(Exception):
    """Why a program cannot be watched, in one line."""


class _Greeting(msgspec.Struct, tag_field="type", tag="observed"):
    """What the first message of any version holds."""

    version: int
    pid: int


_greeting = msgspec.json.Decoder(_Greeting)
_decoder: msgspec.json.Decoder[FromObserver] = msgspec.json.Decoder(FromObserver)
_encoder = msgspec.json.Encoder()


class Viewer:
    """Watches one program. `observed` says which."""

    def __init__(
        self, observed: Observed, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.observed = observed
        self._reader, self._writer = reader, writer

    async def messages(self) -> AsyncIterator[FromObserver]:
        """All that the observer says, until it closes the connection or the program ends.

        Raises `CannotView` at what cannot be read.
        """
        while body := await _frame(self._reader):
            try:
                yield _decoder.decode(body)
            except msgspec.DecodeError as error:
                raise CannotView(f"process {self.observed.pid} said: {error}") from error

    def watch(self) -> None:
        """Let steps be watched from now on."""
        self._send(Watch())

    def ask_who(self, device: str, addresses: tuple[int, ...]) -> None:
        """Ask who holds the memory at these addresses; `Holders` answers."""
        self._send(Who(device, addresses))

    async def close(self) -> None:
        """Close the connection, which ends the watching too."""
        await _close(self._writer)

    def _send(self, question: ToObserver) -> None:
        # After a write that fails, nothing could be read any more, not even what came before it.
        if not self._writer.is_closing() and not _hung_up(self._writer):
            body = _encoder.encode(question)
            self._writer.write(len(body).to_bytes(_LENGTH, "big") + body)


async def connect(path: Path) -> Viewer:
    """Connect with the program whose socket this is; raises `CannotView`."""
    try:
        reader, writer = await asyncio.open_unix_connection(str(path))
    except OSError as error:
        raise CannotView(f"{path}: {error.strerror or error}") from error
    return await greeted(reader, writer)


async def greeted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Viewer:
    """A viewer of the program at the other end, once it has said who it is.

    Raises `CannotView` where that is another user's, says nothing, or has another version.
    """
    try:
        if not _is_trusted(writer):
            raise CannotView("a process of another user called")
        try:
            body = await asyncio.wait_for(_frame(reader), GREETING_SECONDS)
        except asyncio.TimeoutError as error:
            raise CannotView("the program does not say who it is") from error
        if not body:
            raise CannotView("the program has ended")
        return Viewer(_read_greeting(body), reader, writer)
    except BaseException:  # also where nobody waits for it any more
        writer.close()
        raise


def _read_greeting(body: bytes) -> Observed:
    try:
        greeting = _greeting.decode(body)
        if greeting.version != VERSION:
            raise CannotView(
                f"process {greeting.pid} is observed by another vramtop "
                f"(version {greeting.version} of the messages, here {VERSION}): restart it with "
                "this one"
            )
        observed = _decoder.decode(body)
    except msgspec.DecodeError as error:
        raise CannotView(f"a program said who it is in an unknown way: {error}") from error
    assert isinstance(observed, Observed)
    return observed


async def _frame(reader: asyncio.StreamReader) -> bytes:
    """What the next frame holds; nothing at the end."""
    try:
        size = int.from_bytes(await reader.readexactly(_LENGTH), "big")
        if size > _LONGEST:
            raise CannotView(f"a program sent a message of {size:,} bytes")
        return await reader.readexactly(size)
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


def _hung_up(writer: asyncio.StreamWriter) -> bool:
    """Whether the other end has closed the connection."""
    looking = select.poll()
    looking.register(writer.get_extra_info("socket"), 0)
    return bool(looking.poll(0))


def _is_trusted(writer: asyncio.StreamWriter) -> bool:
    link: socket.socket = writer.get_extra_info("socket")
    if os.geteuid() == 0 or not hasattr(socket, "SO_PEERCRED"):
        return True
    credentials = link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return bool(_CREDENTIALS.unpack(credentials)[1] == os.geteuid())


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
