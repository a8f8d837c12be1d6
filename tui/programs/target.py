"""The process to attach to: what must be known of it, and why it cannot be entered."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec
import psutil

from . import sockets
from .elf import Mapped, NotRead, functions, machine, mapped

_NEEDED = (
    "Py_AddPendingCall",
    "PyRun_SimpleString",
    "PyEval_SaveThread",
    "PyErr_Occurred",
    "_Py_Dealloc",
)
_TRACE = 19  # the number of the capability SYS_PTRACE
_SCOPE = Path("/proc/sys/kernel/yama/ptrace_scope")
_RUN = "or start the program with: vramtop run"


class CannotAttach(Exception):
    """Why a process cannot be observed, and what helps, in one line."""


class Target(msgspec.Struct, frozen=True):
    """A process that can be entered.

    `folder` is where its socket lies, as the process sees it; `socket` and `failure` are files in
    there, as we do. `functions` are addresses.
    """

    pid: int
    uid: int
    folder: str
    socket: Path
    failure: Path
    functions: dict[str, int]

    @property
    def root(self) -> Path:
        """The root folder of the process, which differs from ours in a container."""
        return Path(f"/proc/{self.pid}/root")


def find(pid: int) -> Target:
    """The process with this pid; raises `CannotAttach`."""
    if not sys.platform.startswith("linux"):
        raise CannotAttach("attaching works on Linux only; start the program with: vramtop run")
    try:
        return _find(pid)
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError) as error:
        raise CannotAttach(f"there is no process {pid}") from error
    except (psutil.AccessDenied, PermissionError) as error:
        raise refusal(pid) from error


def _find(pid: int) -> Target:
    process = psutil.Process(pid)
    status = process.status()
    if status in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
        raise CannotAttach(f"process {pid} has ended; only its exit code is left")
    uid = process.uids().effective
    if os.geteuid() not in (uid, 0):
        raise CannotAttach(
            f"process {pid} belongs to {process.username()}: run vramtop as that user or as root"
        )
    facts = facts_of(pid)
    if int(facts["TracerPid"]):
        raise CannotAttach(f"process {pid} is held by a debugger, process {facts['TracerPid']}")
    if status == psutil.STATUS_STOPPED:
        raise CannotAttach(f"process {pid} is stopped; continue it with: kill -CONT {pid}")
    files = mapped(pid)
    if not files:
        raise _without(pid, "is no Python program")
    addresses = _functions(pid, files)
    if not sockets.has_torch(pid):
        raise _without(pid, "has not imported torch")
    socket = socket_of(pid, uid, facts)
    failure = socket.with_suffix(".failed")
    return Target(pid, uid, sockets.folder(uid), socket, failure, addresses)


def socket_of(pid: int, uid: int, facts: Mapping[str, str]) -> Path:
    """The socket of a process of this user, if it is observed; `facts` are its status."""
    inner = facts["NSpid"].split()[-1]
    return Path(f"/proc/{pid}/root{sockets.folder(uid)}/{inner}.sock")


def _without(pid: int, why: str) -> CannotAttach:
    """A process without PyTorch; one that it has started may be what was meant."""
    for child in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.Error, OSError):
            if sockets.has_torch(child.pid):
                return CannotAttach(
                    f"process {pid} {why}; process {child.pid}, below it, has torch"
                )
    return CannotAttach(f"process {pid} {why}")


def facts_of(pid: int) -> dict[str, str]:
    """The lines of a process's status, by their names; raises `OSError`."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: text.strip() for name, _, text in (line.partition(":") for line in lines)}


def _functions(pid: int, files: list[Mapped]) -> dict[str, int]:
    """The addresses of what gdb has to call. Raises `CannotAttach` where it is no CPython."""
    program = Path(f"/proc/{pid}/exe")
    try:
        if machine(program) != machine(Path("/proc/self/exe")):
            raise CannotAttach(
                f"process {pid} is built for another processor; run vramtop on one like it"
            )
        pythons = [each for each in files if _may_be_python(each.path, str(program.readlink()))]
        found: dict[str, int] = {}
        for each in pythons:
            found.update(functions(each, pid, _NEEDED))
        for each in files:
            if found and "mmap" not in found and _is_libc(each.path):
                found.update(functions(each, pid, ("mmap",)))
    except NotRead as error:
        raise CannotAttach(f"process {pid} is no 64-bit program of this machine") from error
    if not found.keys() >= {*_NEEDED}:
        raise _without(pid, "is no Python program")
    if "mmap" not in found:
        raise CannotAttach(f"process {pid} has a C library that is not known here; {_RUN}")
    return found


def _may_be_python(path: str, program: str) -> bool:
    return path == program or Path(path).name.startswith("libpython3")


def _is_libc(path: str) -> bool:
    return Path(path).name.startswith(("libc.so", "libc-", "ld-musl", "libc.musl"))


def refusal(pid: int, scope: Path = _SCOPE) -> CannotAttach:
    """Why the system does not let us into a process of our own, and what helps."""
    level = forbidding_scope(scope)
    if level == "3":
        return CannotAttach(f"this system allows no tracing (ptrace_scope is 3); {_RUN}")
    if level is not None:
        return CannotAttach(
            f"the system lets nobody trace process {pid} (ptrace_scope is {level}): "
            f"use sudo, or sudo sysctl kernel.yama.ptrace_scope=0, {_RUN}"
        )
    if not int(facts_of(os.getpid())["CapEff"], 16) >> _TRACE & 1:
        return CannotAttach(
            f"no permission to trace process {pid}: in a container, give it SYS_PTRACE "
            f"(docker run --cap-add SYS_PTRACE), {_RUN}"
        )
    return CannotAttach(
        f"the system does not let process {pid} be traced; start the program with: vramtop run"
    )


def forbidding_scope(scope: Path = _SCOPE) -> str | None:
    """The system's ptrace_scope where it does not let us trace a process; None where it does."""
    level = scope.read_text().strip() if scope.exists() else "0"
    return level if level == "3" or (level in ("1", "2") and os.geteuid()) else None
