"""The user and the command line of a process."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import psutil

_REMEMBERED = 1024


def owner(pid: int, born: float) -> tuple[str | None, str | None]:
    """The user and the command line of a process that started at `born`; None where not known.

    Answers are remembered by both.
    """
    return _answer(_user, pid, born), _answer(_command, pid, born)


def printable(text: str) -> str:
    """The text in one line, without control characters: a process can have any name."""
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()


class _NotYet(Exception):
    """The command line is still empty, as it is while a program is being loaded."""


def _answer(question: Callable[[int, float], str], pid: int, born: float) -> str | None:
    try:
        return question(pid, born)
    except (psutil.Error, _NotYet):
        return None


@lru_cache(_REMEMBERED)  # it remembers answers, not exceptions
def _user(pid: int, born: float) -> str:
    del born
    return str(psutil.Process(pid).username())


@lru_cache(_REMEMBERED)
def _command(pid: int, born: float) -> str:
    del born
    line = printable(" ".join(psutil.Process(pid).cmdline()))
    if not line:
        raise _NotYet
    return line
