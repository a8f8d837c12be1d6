"""A monitor that is connected: what it still has to read, and what it asks."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

from .frames import Reader

_READ_BYTES = 65_536
_UNREAD = 256  # messages
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid


class Lost(Exception):
    """The viewer has gone, does not read, or is not one."""


class Viewer:
    """One end of a connection that never blocks."""

    def __init__(self, link: socket.socket) -> None:
        link.setblocking(False)
        self.watching = False
        self._link = link
        self._reader = Reader()
        self._unread: dict[object, bytes] = {}
        self._partly = memoryview(b"")

    def fileno(self) -> int:
        """The file descriptor, as `poll` wants it."""
        return self._link.fileno()

    @property
    def waiting(self) -> bool:
        """Whether something is still to be written."""
        return bool(self._partly or self._unread)

    def add(self, message: dict[str, object], frame: bytes) -> None:
        """Write this when the viewer reads. It takes the place of an unread one that it outdates.

        Raises `Lost` when too many messages are unread.
        """
        key = _outdates(message)
        self._unread.pop(key, None)
        self._unread[key] = frame
        if len(self._unread) > _UNREAD:
            raise Lost

    def write(self) -> None:
        """Write as much as the socket takes now; raises `Lost` where the viewer has gone."""
        try:
            while self.waiting:
                if not self._partly:
                    self._partly = memoryview(self._unread.pop(next(iter(self._unread))))
                self._partly = self._partly[self._link.send(self._partly) :]
        except BlockingIOError:
            pass
        except OSError as error:
            raise Lost from error

    def questions(self) -> Iterator[dict[str, object]]:
        """What has arrived; raises `Lost` at the end of the stream and at what is no frame."""
        try:
            data = self._link.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            raise Lost from error
        if not data:
            raise Lost
        try:
            yield from self._reader.feed(data)
        except (ValueError, RecursionError) as error:
            raise Lost from error

    def close(self) -> None:
        """Close the socket."""
        self._link.close()


def _outdates(message: dict[str, object]) -> object:
    """What messages of which only the newest counts have in common; else something unique."""
    if message.get("type") == "progress":
        return "progress"
    if message.get("type") == "watched_step":
        return message.get("device"), message.get("kind")
    if message.get("type") == "out_of_memory":
        return message.get("device"), "out_of_memory"  # it has the count of those before it
    return object()


def is_trusted(link: socket.socket, mine: int) -> bool:
    """Whether the other end belongs to the user `mine` or to root, as far as the system tells."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True  # the folder of the socket is the user's own
    credentials = link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return _CREDENTIALS.unpack(credentials)[1] in (mine, 0)
