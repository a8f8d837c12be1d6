"""Which processes can be looked into: told without asking them, so that it costs them nothing."""

from __future__ import annotations

import os
import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path

import msgspec
from vramtop.protocol.gpus import Inside

from . import sockets
from .target import facts_of, forbidding_scope, socket_of

NO_TORCH = "no PyTorch in it"
ANOTHERS = "another user's"

# A process without PyTorch may still import it.
_AGAIN_SECONDS = 60.0
_REMEMBERED = 1024


class _Seen(msgspec.Struct, frozen=True):
    """A process that was looked at, at a moment of a steady clock; `obstacle` is None without."""

    born: float
    socket: Path | None
    obstacle: str | None
    at: float


class Entrances:
    """Looks at each process once, and later only whether its socket is there.

    What a process has loaded is read from its maps: that holds up its allocations of memory for
    about a millisecond.
    """

    def __init__(self) -> None:
        self._seen: dict[int, _Seen] = {}
        self._refusal = _refusal()

    def __call__(self, pid: int, born: float) -> tuple[Inside, str | None]:
        """Whether a process can be looked into, and the reason in a few words where it cannot.

        `born` is when it started, in seconds since 1970.
        """
        if not sys.platform.startswith("linux"):
            return "impossible", "on Linux only"
        seen = self._seen.get(pid)
        if seen is None or seen.born != born or _may_have_changed(seen):
            if len(self._seen) >= _REMEMBERED:
                self._seen.clear()
            seen = self._seen[pid] = _look(pid, born)
        if seen.socket is not None and _is_there(seen.socket, born):
            return "observed", None
        obstacle = seen.obstacle or self._refusal
        return ("possible", None) if obstacle is None else ("impossible", obstacle)


def _refusal() -> str | None:
    """Why no process at all can be entered here."""
    if (scope := forbidding_scope()) is not None:
        return f"ptrace_scope is {scope}"
    # From 3.14 on Python itself lets one in, where both are of the same version.
    if sys.version_info < (3, 14) and shutil.which("gdb") is None:
        return "needs gdb"
    return None


def _look(pid: int, born: float) -> _Seen:
    now = time.monotonic()
    with suppress(OSError):
        facts = facts_of(pid)
        uid = int(facts["Uid"].split()[1])  # the effective one
        if os.geteuid() not in (uid, 0):
            return _Seen(born, None, ANOTHERS, now)
        obstacle = None if sockets.has_torch(pid) else NO_TORCH
        return _Seen(born, socket_of(pid, uid, facts), obstacle, now)
    return _Seen(born, None, "not ours to trace", now)


def _is_there(socket: Path, born: float) -> bool:
    """Whether the socket is there and not left behind by an earlier process of the same pid."""
    with suppress(OSError):
        return socket.stat().st_mtime > born - 1
    return False


def _may_have_changed(seen: _Seen) -> bool:
    return seen.obstacle == NO_TORCH and time.monotonic() - seen.at > _AGAIN_SECONDS
