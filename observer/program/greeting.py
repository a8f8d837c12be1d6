"""Who the program is: the observer's first message."""

from __future__ import annotations

import os
import platform
import socket
import sys
from pathlib import Path

import torch

VERSION = 4  # that of `protocol/observed/record.py`


def greeting(*, since_start: bool) -> dict[str, object]:
    """The message; `since_start` says that the program had not allocated anything yet."""
    return {
        "type": "observed",
        "version": VERSION,
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "program": _program(),
        "arguments": list(sys.orig_argv),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "since_start": since_start,
        "rank": _number("RANK"),
        "world_size": _number("WORLD_SIZE"),
        "local_rank": _number("LOCAL_RANK"),
    }


def _program() -> str:
    """The script's name; that of the package, if that is run."""
    script = Path(sys.argv[0] if sys.argv else "")
    if script.name == "__main__.py":
        return script.parent.name
    return "python" if script.name in ("", "-", "-c") else script.name


def _number(name: str) -> int | None:
    """A number that a launcher has put into the environment."""
    text = os.environ.get(name, "")
    return int(text) if text.isdigit() else None
