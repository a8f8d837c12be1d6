"""`vramtop attach` without a pid: the programs that can be looked into."""

from __future__ import annotations

import shutil
import sys
from contextlib import suppress
from typing import Literal

import msgspec
from rich.table import Table
from vramtop.tui.programs import sockets
from vramtop.tui.terminal.exits import FINE
from vramtop.tui.terminal.output import complain, show, write


class Listed(msgspec.Struct, frozen=True):
    """A program that works with PyTorch; `observed` says that it is observed already."""

    pid: int
    command: str
    observed: bool


def list_programs(form: Literal["table", "json"]) -> int:
    """Print them; returns the exit code."""
    found = [Listed(each.pid, each.command, bool(each.socket)) for each in sockets.programs()]
    if form == "json":
        with suppress(BrokenPipeError):
            write(f"{msgspec.json.format(msgspec.json.encode(found)).decode()}\n")
    elif found:
        show((_table(found),))
    else:
        complain("no program of yours works with PyTorch now")
    return FINE


def _table(found: list[Listed]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("pid", justify="right", no_wrap=True)
    table.add_column("observed", no_wrap=True)
    table.add_column("command", no_wrap=True)
    for each in found:
        table.add_row(str(each.pid), "yes" if each.observed else "no", each.command)
    if sys.stdout.isatty():
        others = max(len(str(each.pid)) for each in found) + len("  observed  ")
        table.columns[2].max_width = max(10, shutil.get_terminal_size().columns - others)
    return table
