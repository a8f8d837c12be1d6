"""The user and the command line of a process."""

from __future__ import annotations

import pwd
from contextlib import suppress
from functools import lru_cache

import psutil


def owner(process: psutil.Process) -> tuple[str | None, str | None]:
    """The user and the command line of a process; None for what is not known.

    The command line is not known while a program is being loaded.
    """
    user = command = None
    with suppress(psutil.Error):
        user = _name(process.uids().real)
    with suppress(psutil.Error):
        command = printable(" ".join(process.cmdline())) or None
    return user, command


def printable(text: str) -> str:
    """The text in one line, without control characters: a process can have any name."""
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()


@lru_cache
def _name(uid: int) -> str:
    """The user's name, or else the number, as in a container."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
