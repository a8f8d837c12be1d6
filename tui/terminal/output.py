"""Writing to stdout and stderr, also where they are closed, full or broken."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import io
import os
import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO, TypeAlias

from .capabilities import look
from .glyphs import lacking

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

# The parts of a printout, from top to bottom.
Page: TypeAlias = "Sequence[Text | Table]"

_NO_LIMIT = 100_000  # columns where the output is no terminal


class CannotWrite(Exception):
    """Results cannot be written; the text says why in one line."""


def mend() -> None:
    """Make the three streams usable, in whatever state this process was given them.

    A closed stream becomes the null device: otherwise the next file that is opened would get its
    number. Characters that the output's encoding lacks are replaced by similar ones. A terminal
    whose locale has only ASCII gets ASCII, whatever encoding Python chose for that locale.
    """
    codecs.register_error("nearest", lacking)
    for number, stream in enumerate((sys.stdin, sys.stdout, sys.stderr)):
        if stream is None:
            # stdout is opened for reading, so that `require` and `write` notice it.
            os.open(os.devnull, os.O_WRONLY if number == 2 else os.O_RDONLY)
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)
    for output in (sys.stdout, sys.stderr):
        if isinstance(output, io.TextIOWrapper):
            plain = output.isatty() and look(os.environ, output.encoding).characters == "ascii"
            output.reconfigure(encoding="ascii" if plain else None, errors="nearest")


def require() -> None:
    """Raise `CannotWrite` where stdout is closed, before any work is done in vain."""
    if fcntl.fcntl(1, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise CannotWrite("cannot write: stdout is closed")


def write(text: str) -> None:
    """Write text to stdout and flush it.

    Raises `BrokenPipeError` where nobody reads it any more, and `CannotWrite` where it cannot be
    written.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _forget(sys.stdout)
        raise
    except OSError as error:
        _forget(sys.stdout)
        raise CannotWrite(f"cannot write: {error.strerror}") from None


def complain(what: object) -> None:
    """Write one line to stderr on what is wrong."""
    say(f"vramtop: {' '.join(str(what).split())}")


def say(line: str) -> None:
    """Write a line to stderr. If that fails, nothing is reported."""
    try:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
    except OSError:
        _forget(sys.stderr)


def show(*pages: Page) -> None:
    """Print the first of these pages whose tables fit the terminal's width, else the last one.

    Text is wrapped between words; a table is never cut. Output that is not a terminal has no limit.
    Raises `CannotWrite`.
    """
    with contextlib.suppress(BrokenPipeError):  # the reader has seen enough
        write(drawn(sys.stdout, *pages))


def drawn(stream: TextIO, *pages: Page) -> str:
    """The same page as text for this stream, with colours where it is a terminal."""
    from rich.console import Console
    from rich.table import Table

    terminal = stream.isatty()
    room = shutil.get_terminal_size().columns if terminal else _NO_LIMIT
    printed = io.StringIO()
    # Without a height, Rich would give a dumb terminal 80 columns.
    console = Console(
        file=printed,
        width=_NO_LIMIT,
        height=1,
        force_terminal=terminal,
        markup=False,
        highlight=False,
    )

    def width(page: Page) -> int:
        widths = [console.measure(part).maximum for part in page if isinstance(part, Table)]
        return max(widths, default=0)

    page = next((page for page in pages if width(page) <= room), pages[-1])
    for part in page:
        console.print(part, width=max(room, width(page)))
    return printed.getvalue()


def _forget(stream: TextIO) -> None:
    """Drop what is still buffered, so that Python reports no error at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)
