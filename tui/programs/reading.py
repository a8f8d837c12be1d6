"""Whether a program waits for what somebody types on its terminal, as far as Linux tells."""

from __future__ import annotations

import platform
import termios
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

# The number of the system call `read`.
_READ = {"x86_64": 0, "aarch64": 63}.get(platform.machine())
_LOCAL_MODES = 3  # the place of these flags in what `tcgetattr` returns


def waits_for_input(pid: int, terminal: int, name: str) -> bool:
    """Whether a process, or one that it started, reads from its terminal and has to wait.

    `terminal` is our end of that terminal, `name` the path of the program's end.
    """
    with suppress(termios.error):
        if not termios.tcgetattr(terminal)[_LOCAL_MODES] & termios.ICANON:
            return True  # it takes each key by itself, as debuggers do
    return any(_reads(each, name) for each in _with_children(pid))


def _with_children(pid: int) -> Iterator[int]:
    yield pid
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                yield from _with_children(int(child))


def _reads(pid: int, name: str) -> bool:
    """Whether the main thread of a process is in a `read` of its terminal."""
    with suppress(OSError, ValueError):
        number, *arguments = Path(f"/proc/{pid}/syscall").read_text().split()
        if number == str(_READ):
            return str(Path(f"/proc/{pid}/fd/{int(arguments[0], 16)}").readlink()) == name
    return False
