"""Where the results on programs go: to a file, to stdout, and as a table to whoever looks on."""

from __future__ import annotations

import asyncio
import io
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, TextIO

import msgspec
from vramtop.protocol.observed.program import ProgramReport
from vramtop.protocol.observed.record import FromObserver, Holders, OutOfMemory, WatchedStep
from vramtop.tui.programs.programs import Program, reports
from vramtop.tui.terminal.output import CannotWrite, complain, drawn, say, write

from .result_file import ResultFile

Form = Literal["table", "json", "jsonl"]

_KEPT_SECONDS = 1.0  # after which what was watched is in the file
_PART = 0.05  # the most of our time that writing may take


class ProgramOutput:
    """Writes what was watched, in a form, to a file or to stdout; with `aside` a table to stderr.

    Lines are written as they come. A list or a table is in the file a second after each watched
    step, so that nothing is lost where we are killed. Without a form there is only the table aside.
    Raises `CannotWrite` where the file cannot be opened.
    """

    def __init__(self, form: Form | None, file: str | None, *, aside: bool) -> None:
        self.closed = False  # whether the results cannot be written any more
        self._form, self._aside = form, aside
        self._programs: dict[int, Program] = {}  # in the order in which they came
        self._lines: TextIO = sys.stdout
        self._file: ResultFile | None = None
        self._keeping: asyncio.TimerHandle | None = None
        self._kept_in = 0.0  # seconds that the latest writing took
        try:
            if file is not None and form == "jsonl":
                self._lines = Path(file).open("w", encoding="utf-8")  # noqa: SIM115 (until the end)
            elif file is not None:
                self._file = ResultFile(file)
                if self._file.replaceable:
                    self._file.write(self._results())
        except OSError as error:
            raise CannotWrite(f"cannot write {file}: {error.strerror}") from None

    def heard(self, program: Program, message: FromObserver) -> None:
        """Write what is written when a program says this."""
        self._programs.setdefault(id(program), program)
        if self._form == "jsonl" and isinstance(message, WatchedStep):
            self._write(f"{msgspec.json.encode(program.report(message.device)).decode()}\n")
        if isinstance(message, (WatchedStep, OutOfMemory, Holders)):
            self._keep_soon()

    def end(self) -> None:
        """Write what is written at the end."""
        if self._keeping is not None:
            self._keeping.cancel()
        found = reports(self._programs.values())
        if self._form == "json" or (self._form == "table" and found):
            self._write(self._results())
        if self._aside and found:
            say(_table(found, sys.stderr).rstrip("\n"))
        if self._file is not None:
            self._file.close()
        if self._lines is not sys.stdout:
            with suppress(OSError):
                self._lines.close()

    def _keep_soon(self) -> None:
        """Have the results of now in the file soon, where they can be replaced there."""
        if self._keeping is None and self._file is not None and self._file.replaceable:
            wait = max(_KEPT_SECONDS, self._kept_in / _PART)
            self._keeping = asyncio.get_running_loop().call_later(wait, self._keep)

    def _keep(self) -> None:
        began, self._keeping = time.perf_counter(), None
        if self._file is not None:
            with suppress(OSError):  # it may succeed later; the last time it is said
                self._file.write(self._results())
        self._kept_in = time.perf_counter() - began

    def _results(self) -> str:
        """All of the results, as a list or as a table."""
        found = reports(self._programs.values())
        if self._form == "json":
            return f"{msgspec.json.format(msgspec.json.encode(found)).decode()}\n"
        return _table(found, sys.stdout if self._file is None else io.StringIO()) if found else ""

    def _write(self, text: str) -> None:
        """Write results. Where that fails, it is said once, and the program goes on."""
        if self.closed:
            return
        try:
            if self._file is not None:
                self._file.write(text)
            elif self._lines is sys.stdout:
                write(text)
            else:
                self._lines.write(text)
                self._lines.flush()
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
