"""`vramtop diff`: two results on a program, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec
from vramtop.accounting.program.compared import Comparison, compared
from vramtop.protocol.lesson.settings import SettingError
from vramtop.protocol.observed.program import ProgramReport
from vramtop.tui.terminal.exits import FAILED, FINE
from vramtop.tui.terminal.output import complain, show, write

from .diff_table import page


def diff(before: str, after: str, form: Literal["table", "json"], fail_above: float | None) -> int:
    """Print what changed from one file to the other; returns the exit code.

    With `fail_above`, a share, that is 1 where a peak grew by more, or where what is before is not
    there after. Raises `SettingError` for a file that is no result, and `CannotWrite`.
    """
    found = compared(read(before), read(after))
    if form == "json":
        with suppress(BrokenPipeError):
            write(f"{msgspec.json.format(msgspec.json.encode(found)).decode()}\n")
    else:
        show(page(found))
    failures = [] if fail_above is None else [*_failures(found, fail_above)]
    for line in failures:
        complain(line)
    return FAILED if failures else FINE


def read(file: str) -> list[ProgramReport]:
    """The processes in a file that `--output` has written, as a list or as lines.

    Raises `SettingError` where it is none, or where no step in it was watched.
    """
    try:
        content = Path(file).read_bytes()
    except OSError as error:
        raise SettingError(f"cannot read {file}: {error.strerror}") from None
    try:
        reports = _decoded(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise SettingError(
            f"{file} is no result in JSON, which vramtop run --output FILE writes"
        ) from None
    if not any(report.kinds for report in reports):
        raise SettingError(f"{file} has no watched step: there is nothing to compare")
    return reports


def _decoded(content: bytes) -> list[ProgramReport]:
    if content.lstrip().startswith(b"["):
        return msgspec.json.decode(content, type=list[ProgramReport])
    # Of a process and device there is a line for each watched step; the last tells of all.
    lines = filter(bytes.strip, content.splitlines())
    reports = [msgspec.json.decode(line, type=ProgramReport) for line in lines]
    return [*{(report.pid, report.device): report for report in reports}.values()]


def _failures(found: Comparison, limit: float) -> Iterator[str]:
    """Why the result after is not as good as the one before, in a line each."""
    for name in found.lost:
        yield f"{name}: only in the first file"
    for program in found.programs:
        for kind in program.lost:
            yield f"{program.name}: {kind} only in the first file"
        for change in program.kinds:
            peak = change.peak
            if peak.growth > limit:
                yield (
                    f"{program.name}: the peak in {change.kind} grew by {peak.growth:.2%}, from "
                    f"{peak.before:,} B to {peak.after:,} B; --fail-above allows {100 * limit:g}%"
                )
