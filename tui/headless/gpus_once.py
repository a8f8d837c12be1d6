"""`vramtop gpus --once`: the GPUs and their processes as they are now, and nothing more."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from contextlib import suppress
from typing import Literal

import msgspec
from vramtop.protocol.gpus import GpusReport
from vramtop.tui.gpus.readings import Reader
from vramtop.tui.programs.entrances import Entrances
from vramtop.tui.terminal.capabilities import cannot_place
from vramtop.tui.terminal.exits import FAILED, FINE
from vramtop.tui.terminal.output import complain, write

from .gpus_table import text

_PATIENCE_SECONDS = 5.0
_UNANSWERED = "the driver has not answered for"
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"


def print_gpus(form: Literal["table", "json"]) -> int:
    """Print them; returns the exit code, which is `FAILED` where there is none to see."""
    report, now = _read(), time.time()
    with suppress(BrokenPipeError):
        if form == "json":
            write(_json(report, now))
        elif report.trouble is None:
            write("\n".join([*_drawn(report, now), ""]))
    if report.trouble is not None:
        complain(report.trouble)
    return FINE if report.trouble is None else FAILED


def _read() -> GpusReport:
    """What NVML says; a driver that does not answer is said too."""
    found = list[GpusReport | Exception]()

    def read() -> None:
        try:
            found.append(Reader(Entrances()).read())
        except Exception as mistake:  # raised below
            found.append(mistake)

    # A daemon thread, so that the program can end while a call hangs in the driver.
    reading = threading.Thread(target=read, name="nvml", daemon=True)
    reading.start()
    reading.join(_PATIENCE_SECONDS)
    answer = found[0] if found else GpusReport(trouble=f"{_UNANSWERED} {_PATIENCE_SECONDS:g} s")
    if isinstance(answer, Exception):
        raise answer
    return answer


def _json(report: GpusReport, at: float) -> str:
    """The report as the JSON that docs/gpus-json.md describes, made `at` seconds since 1970."""
    fields = {"time": at, **msgspec.to_builtins(report)}
    del fields["type"]
    return f"{msgspec.json.format(msgspec.json.encode(fields)).decode()}\n"


def _drawn(report: GpusReport, at: float) -> list[str]:
    """The lines; on a terminal the titles are bold."""
    drawn = text(report, at, _room())
    if not sys.stdout.isatty() or cannot_place(os.environ):
        return drawn
    titles = {at + 1 for at, line in enumerate(drawn) if not line}
    return [f"{_BOLD}{line}{_PLAIN}" if at in titles else line for at, line in enumerate(drawn)]


def _room() -> int | None:
    """The characters in a line; None where neither a terminal nor `watch` limits them."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdecimal():
        return shutil.get_terminal_size().columns
    return None
