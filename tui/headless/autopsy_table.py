"""The block on an out of memory at the end of a program's table, at most 80 columns wide."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from rich.table import Table
from rich.text import Text
from vramtop.protocol.observed.autopsy import Autopsy
from vramtop.protocol.observed.program import ProgramReport
from vramtop.tui.words import autopsy, units

from .figures import figures, shortened

_WIDTH = 80
_NAME, _LINE = 38, 28
_BEFORE_UNIT = re.compile(r"(?<=\d) (?=[KMGTP]?i?B\b)")


def block(report: ProgramReport, found: Autopsy) -> Iterator[Text | Table]:
    """All that is known of it."""
    where, when = autopsy.place(found), autopsy.moment(found)
    larger, others = autopsy.larger_line(found, report.shapes), autopsy.others_line(found)
    yield Text(
        _lines(
            headline(report, found),
            where and f"Where: {where}",
            when and f"When: {when}",
            larger and f"{larger[0].upper()}{larger[1:]}.",
            others and f"{others[0].upper()}{others[1:]}.",
        )
    )
    yield Text()
    yield _held(found)
    if any(each.owner or each.line for each in found.largest):
        yield Text()
        yield _largest(found)
    pinned = [f"  {autopsy.pinned_line(each)}" for each in found.pinned]
    told = [autopsy.free_line(found), *(["Segments that are mostly free:"] * bool(pinned)), *pinned]
    told += [f"Suggestion: {autopsy.suggestion(found, each)}." for each in found.suggestions]
    if any(told):
        yield Text()
        yield Text(_lines(*told))


def headline(report: ProgramReport, found: Autopsy) -> str:
    """The request in a line: `Out of memory on cuda:0: 2.00 GiB wanted, 1.00 GiB free.`"""
    rank = f"rank {report.rank}, " if report.rank is not None else ""
    times = f" ({autopsy.times(found)})" if found.count > 1 else ""
    wanted, free = units.size(found.wanted), units.size(found.free)
    if wanted == free:
        wanted, free = f"{found.wanted:,} B", f"{found.free:,} B"
    return f"Out of memory on {rank}{report.device}: {wanted} wanted, {free} free{times}."


def _lines(*texts: str) -> str:
    """These, each in as many lines as it takes, and never broken before a unit."""
    return "\n".join(map(_wrapped, filter(None, texts)))


def _wrapped(text: str) -> str:
    indent = "    " if text.startswith(" ") else "  "
    whole = _BEFORE_UNIT.sub("\N{NO-BREAK SPACE}", text)
    filled = textwrap.fill(whole, _WIDTH, subsequent_indent=indent, break_long_words=False)
    return filled.replace("\N{NO-BREAK SPACE}", " ")


def _held(found: Autopsy) -> Table:
    table = figures("held then, bytes", "", "", "")
    for name, size in autopsy.held(found):
        share = units.share(size, found.in_use)
        table.add_row(name.capitalize(), f"{size:,}", units.size(size), share)
    for name, size in (
        ("In use", found.in_use),
        ("Reserved", found.reserved),
        ("Not PyTorch's", found.outside),
    ):
        table.add_row(name, f"{size:,}", units.size(size), "")
    return table


def _largest(found: Autopsy) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("largest", justify="right", no_wrap=True)
    table.add_column("what", no_wrap=True)
    table.add_column("allocated at", no_wrap=True)
    for each in found.largest:
        line = shortened(each.line, _LINE) or units.NOTHING
        table.add_row(units.size(each.bytes), shortened(autopsy.owner(each), _NAME), line)
    return table
