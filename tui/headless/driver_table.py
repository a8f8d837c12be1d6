"""The driver's figure as a sum, with the bytes of each term."""

from __future__ import annotations

from rich.table import Table
from vramtop.protocol.observed.driver import DriverSum
from vramtop.tui.words import driver as words
from vramtop.tui.words import units


def driver_table(found: DriverSum) -> Table:
    """A row for each term, the sum, and pinned memory, which is the host's, after it."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("the driver's sum", no_wrap=True)
    table.add_column("bytes", justify="right", no_wrap=True)
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for term, size in found.terms.items():
        remains = "what remains" if term in words.REMAIN else ""
        table.add_row(words.NAMES[term], f"{size:,}", units.size(size), remains)
    whole = (f"{found.bytes:,}", units.size(found.bytes))
    table.add_row(words.SHORT[found.by], *whole, "", style="bold")
    if found.pinned:
        pinned = (f"{found.pinned:,}", units.size(found.pinned))
        table.add_row(words.PINNED, *pinned, "beside: of the host's memory")
    return table
