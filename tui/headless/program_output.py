"""Where the results on programs go: to a file, to stdout, and as a table to whoever looks on."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, TextIO

import msgspec
from vramtop.protocol.observed.program import ProgramReport
from vramtop.protocol.observed.record import FromObserver, WatchedStep
from vramtop.tui.programs.programs import Program
from vramtop.tui.terminal.output import CannotWrite, complain, drawn, say, write

Form = Literal["table", "json", "jsonl"]


class ProgramOutput:
    """Writes what was watched, in a form, to a file or to stdout; with `aside` a table to stderr.

    Without a form there is only that table. Raises `CannotWrite` where the file cannot be opened.
    """

    def __init__(self, form: Form | None, file: str | None, *, aside: bool) -> None:
        self.closed = False  # whether the results cannot be written any more
        self._form, self._aside = form, aside
        self._file: TextIO | None = None
        if file is not None:
            try:
                self._file = Path(file).open("w", encoding="utf-8")  # noqa: SIM115 (until the end)
            except OSError as error:
                raise CannotWrite(f"cannot write {file}: {error.strerror}") from None

    def heard(self, program: Program, message: FromObserver) -> None:
        """Write what is written when a program says this."""
        if self._form == "jsonl" and isinstance(message, WatchedStep):
            self._write(f"{msgspec.json.encode(program.report(message.device)).decode()}\n")

    def end(self, reports: Sequence[ProgramReport]) -> None:
        """Write what is written at the end."""
        if self._form == "json":
            encoded = msgspec.json.format(msgspec.json.encode(reports))
            self._write(f"{encoded.decode()}\n")
        if self._form == "table" and reports:
            self._write(_table(reports, self._file or sys.stdout))
        if self._aside and reports:
            say(_table(reports, sys.stderr).rstrip("\n"))
        if self._file is not None:
            with suppress(OSError):
                self._file.close()

    def _write(self, text: str) -> None:
        """Write results. Where that fails, it is said once, and the program goes on."""
        if self.closed:
            return
        try:
            if self._file is None:
                write(text)
            else:
                self._file.write(text)
                self._file.flush()
        except BrokenPipeError:
            self.closed = True
        except CannotWrite as error:
            self.closed = True
            complain(error)
        except OSError as error:
            self.closed = True
            complain(f"cannot write: {error.strerror}")


def _table(reports: Sequence[ProgramReport], stream: TextIO) -> str:
    from .program_table import page  # only now, since its import takes a while

    lines = drawn(stream, page(reports)).splitlines()
    return "\n".join([*map(str.rstrip, lines), ""])
