"""Who runs a process, and what it is."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import psutil

_REMEMBERED = 1024


def owner(pid: int) -> tuple[str | None, str | None]:
    """The user and the command line of a process; None for what the system does not tell.

    What it has told is remembered for a process's life, which its pid and its birth name.
    """
    try:
        born = psutil.Process(pid).create_time()
    except psutil.Error:
        return None, None
    return _told(_user, pid, born), _told(_command, pid, born)


def printable(text: str) -> str:
    """The text in one line, without what a terminal would obey; anybody can name a process."""
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()


class _Untold(Exception):
    """There is nothing yet: a program that is just being loaded has no command line."""


def _told(question: Callable[[int, float], str], pid: int, born: float) -> str | None:
    try:
        return question(pid, born)
    except (psutil.Error, _Untold):
        return None


@lru_cache(_REMEMBERED)  # which remembers answers, not exceptions
def _user(pid: int, born: float) -> str:
    del born
    return str(psutil.Process(pid).username())


@lru_cache(_REMEMBERED)
def _command(pid: int, born: float) -> str:
    del born
    line = printable(" ".join(psutil.Process(pid).cmdline()))
    if not line:
        raise _Untold
    return line
