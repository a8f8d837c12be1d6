"""The sockets of programs that are observed, and which programs can be."""

from __future__ import annotations

import os
import re
import socket
import stat
from collections.abc import Mapping
from contextlib import suppress
from errno import EPERM
from pathlib import Path

import msgspec
import psutil
from vramtop.tui.gpus.owners import printable

FOLDER = "VRAMTOP_SOCKETS"  # of the environment: another folder for sockets
MONITOR = "VRAMTOP_MONITOR"  # the socket at which a program finds who started it
RUN = "run-"  # and the pid: the socket of a monitor that has started a program
_CONNECT_SECONDS = 1.0


class Program(msgspec.Struct, frozen=True):
    """A process that works with PyTorch. It is observed already where it has a socket."""

    pid: int
    command: str
    socket: Path | None


def folder(uid: int | None = None, environment: Mapping[str, str] = os.environ) -> str:
    """The folder of a user's sockets; the observer looks in the same place."""
    return environment.get(FOLDER) or f"/tmp/vramtop-{os.geteuid() if uid is None else uid}"


def make_folder(place: Path, uid: int) -> None:
    """Make the folder of a user's sockets; raises `OSError`, also where it is not theirs alone."""
    with suppress(FileExistsError):
        place.mkdir(0o700)
        if os.geteuid() != uid:
            os.chown(place, uid, -1)
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or found.st_mode & 0o077:
        raise PermissionError(EPERM, "is not a folder of its user alone; remove it", str(place))


def answers(path: Path) -> bool:
    """Whether somebody listens at this socket. The file of one that has gone is removed."""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(_CONNECT_SECONDS)
        try:
            link.connect(str(path))
        except ConnectionRefusedError:
            with suppress(OSError):
                path.unlink()
            return False
        except OSError:
            return False
    return True


def forget_killed(place: Path) -> None:
    """Remove the sockets of monitors that were killed.

    One whose process is not seen here may live in a container that shares this folder.
    """
    alive = psutil.pids()
    for path in place.glob(f"{RUN}*"):
        pid = path.name.removeprefix(RUN)
        if pid.isdecimal() and int(pid) not in alive:
            answers(path)


def observed(place: str | None = None) -> dict[int, Path]:
    """The sockets that answer, by the pid of the program. Files of others are removed."""
    found = {}
    for path in Path(place or folder()).glob("*.sock"):
        if re.fullmatch(r"\d+", path.stem) and answers(path):
            found[int(path.stem)] = path
    return found


def programs() -> list[Program]:
    """The programs that this user can look into, in the order of their pids."""
    sockets = observed()
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid in sockets or has_torch(process.pid):
                command = printable(" ".join(process.cmdline()))
                found.append(Program(process.pid, command, sockets.get(process.pid)))
    return sorted(found, key=lambda each: each.pid)


def has_torch(pid: int) -> bool:
    """Whether a process has loaded PyTorch. Raises `OSError` where it is not ours to know."""
    return "/libtorch_python" in Path(f"/proc/{pid}/maps").read_text()
