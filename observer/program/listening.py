"""The socket on which a program waits for monitors: in a folder that is its user's alone."""

from __future__ import annotations

import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

LONGEST = 103  # bytes of a socket's path, which Linux and macOS both allow
_CONNECT_SECONDS = 1.0


def default_folder() -> str:
    """The folder of a user's sockets. It is short, and the same whatever TMPDIR is."""
    return f"/tmp/vramtop-{os.geteuid()}"


def listen(folder: str) -> tuple[socket.socket, str]:
    """A listening socket in this folder, named after the process; and its path.

    A path that is too long for a socket lies in the default folder instead. Raises `OSError`.
    """
    if len(os.fsencode(_path(folder))) > LONGEST:
        folder = default_folder()
    _own(folder)
    path = _path(folder)
    # It gets its name once it listens: a monitor takes a socket on which nobody listens for the
    # remains of a process that has ended.
    new = Path(path).with_suffix(".new")
    with suppress(FileNotFoundError):
        new.unlink()
    link = socket.socket(socket.AF_UNIX)
    try:
        link.bind(str(new))
        link.listen(8)
        link.setblocking(False)
        new.replace(path)
    except OSError:
        link.close()
        raise
    return link, path


def dial(path: str) -> socket.socket:
    """A connection to a monitor that waits at this path; raises `OSError`."""
    link = socket.socket(socket.AF_UNIX)
    try:
        link.settimeout(_CONNECT_SECONDS)
        link.connect(path)
    except OSError:
        link.close()
        raise
    return link


def _path(folder: str) -> str:
    return f"{folder}/{os.getpid()}.sock"


def _own(folder: str) -> None:
    """Make the folder, and be sure that nobody else can put anything in."""
    with suppress(FileExistsError):
        Path(folder).mkdir(0o700)
    found = Path(folder).lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise PermissionError(f"{folder} is not a folder of this user alone")
