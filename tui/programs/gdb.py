"""gdb, which calls functions in a process that stands still meanwhile.

All addresses are looked up before, and gdb reads no symbols.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import NamedTuple

from .registers import description
from .target import CannotAttach, Target, find, refusal

_WAITING_SECONDS = 5.0
_SECONDS = 20.0
_PAGE, _READ_WRITE, _PRIVATE = 4096, 3, 0x22

# gdb must read no file of the process, however many it has loaded, and change nothing in it.
_QUIET = (
    "set debuginfod enabled off",
    "set auto-load no",
    "set auto-solib-add off",
    "set sysroot /nonexistent",
    "set libthread-db-search-path /nonexistent",
    "set confirm off",
)
# A program of our own, stopped before its first instruction, gets another vector register.
_TRIAL = (
    "set startup-with-shell off",
    "set disable-randomization off",
    f"exec-file {sys.executable}",
    "starti",
    "set $mxcsr = 0x1fa0",
    "kill",
)
_REFUSED = "Couldn't write"


class Where(Enum):
    """Where a thread is made to call something: anywhere, or where it begins a function.

    No register of AVX or AMX has to be kept where a function begins. Only where a thread is
    `LETTING_GO` of the interpreter may it run Python itself; elsewhere the main thread is asked to,
    at its next bytecode.
    """

    ANYWHERE = ""  # that is, where the main thread is just now
    LETTING_GO = "PyEval_SaveThread"
    WORKING = "_Py_Dealloc"


class Gdb(NamedTuple):
    """A command that starts gdb, and in which places it may call something, best first."""

    command: list[str]
    places: tuple[Where, ...]


@contextmanager
def tried() -> Iterator[Gdb]:
    """gdb as it works here, as seen on a program of our own; raises `CannotAttach`.

    A call that fails half-way would leave the process with wrong registers, and end it.
    """
    path = shutil.which("gdb")
    if path is None:
        raise CannotAttach(
            "attaching needs gdb (apt install gdb), or start the program with: vramtop run"
        )
    command = [path, "-nx", "-batch", *_each("-iex", _QUIET)]
    if _can_write(command):
        yield Gdb(command, (Where.ANYWHERE, Where.LETTING_GO))
        return
    with tempfile.NamedTemporaryFile("w", prefix="vramtop-", suffix=".xml") as file:
        file.write(description())
        file.flush()
        command += _each("-iex", [f"set tdesc filename {file.name}"])
        if not _can_write(command):
            raise CannotAttach(
                "this gdb is too old for this machine's processor: update gdb, "
                "or start the program with: vramtop run"
            )
        yield Gdb(command, (Where.LETTING_GO, Where.WORKING))


def _can_write(command: list[str]) -> bool:
    """Whether this gdb writes vector registers; only x86-64 is known where one does not."""
    if platform.machine() != "x86_64":
        return True
    done = subprocess.run(
        [*command, *_each("-ex", _TRIAL)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False,
    )  # fmt: skip
    return _REFUSED not in done.stdout


def _each(option: str, commands: Sequence[str]) -> list[str]:
    return [text for command in commands for text in (option, command)]


def ask(gdb: Gdb, target: Target, code: str, where: Where) -> bool:
    """Let a line of Python be run in the process; whether a thread came to that place in time.

    Raises `CannotAttach`.
    """
    at = target.functions
    page = f"((long)0, (long){_PAGE}, {_READ_WRITE}, {_PRIVATE}, -1, (long)0)"
    run = at["PyRun_SimpleString"]
    asking = f"print ((int(*)()){at['Py_AddPendingCall']})((long){run}, $page)"
    waiting = []
    if where is not Where.ANYWHERE:
        # One breakpoint: gdb leaves others behind when it is told to end. No error of the
        # program may be on its way.
        no_error = f"((long(*)()){at['PyErr_Occurred']})() == 0"
        waiting = [f"tbreak *{at[where.value]} if {no_error}", "continue"]
    if where is Where.LETTING_GO:
        asking = f"print ((int(*)()){run})($page)"
    with tempfile.NamedTemporaryFile(prefix="vramtop-") as file:
        file.write(code.encode() + b"\0")
        file.flush()
        commands = [
            "set language c",
            *waiting,
            f"set $page = ((long(*)()){at['mmap']}){page}",
            f"restore {file.name} binary $page",
            asking,
            "detach",
        ]
        arguments = [*gdb.command, "-p", str(target.pid), *_each("-ex", commands)]
        return _run(arguments, target, _WAITING_SECONDS if waiting else _SECONDS)


def _run(arguments: list[str], target: Target, seconds: float) -> bool:
    process = subprocess.Popen(
        arguments,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        said, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.terminate()  # gdb takes its breakpoints out and lets the process go
        process.communicate()
        return False
    if "$1 = 0" not in said:
        find(target.pid)  # it may have ended
        if "ptrace:" in said or "Could not attach" in said:
            raise refusal(target.pid)
        raise CannotAttach(f"gdb could not enter process {target.pid}: {_last_line(said)}")
    return True


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
