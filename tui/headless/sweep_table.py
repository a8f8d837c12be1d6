"""The table of a sweep or an estimate: a line for each batch size, or a block in a narrow one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import TypeAlias

import msgspec
from rich.table import Table
from rich.text import Text
from vramtop.tui.terminal.output import Page
from vramtop.tui.words import out_of_memory, units
from vramtop.tui.words.wording import unmodelled

from .rows import AnyRow, Estimate, OutOfMemoryRow, Range, Row

_CATEGORIES = ("params", "grads", "optim", "data", "activ.", "temp.")
_PREDICTED = (*_CATEGORIES, "peak", "formula")
_SPREAD = ("test loss", "accuracy", "step", "images/s")
_NAMES = (*_PREDICTED, *_SPREAD, "upd/epoch")
_BLOCK_COLUMNS = 3

_Rows: TypeAlias = Sequence[AnyRow]


def tables(title: str, rows: _Rows, *notes: str) -> tuple[Page, Page]:
    """The title, the rows and the notes: for a wide and for a narrow terminal."""
    lines = [_out_of_memory(row) for row in rows if isinstance(row, OutOfMemoryRow)]
    end: Page = (Text("\n".join(["", *lines, *notes])),) if lines or notes else ()
    spreads = [row for row in rows if isinstance(row, Row) and row.spread is not None]
    if spreads:
        end = (Text(), _spreads(spreads), *end)
    return (Text(f"{title}\n"), _wide(rows), *end), (Text(f"{title}\n"), _narrow(rows), *end)


def _names(rows: _Rows) -> Sequence[str]:
    """The names of the columns. Rows that were run have times, predicted ones have none."""
    run = any(isinstance(row, Row) for row in rows)
    return _NAMES if run else (*_PREDICTED, _NAMES[-1])


def _wide(rows: _Rows) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    names = _names(rows)
    for name in ("batch", *names):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        cells = [units.NOTHING] * len(names) if isinstance(row, OutOfMemoryRow) else _cells(row)
        table.add_row(f"{row.batch_size:,}", *cells)
    return table


def _narrow(rows: _Rows) -> Table:
    """A block for each batch size that fits, with three figures and their names in a line."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, style="bold")
    for _ in range(2 * _BLOCK_COLUMNS):
        table.add_column(justify="right", no_wrap=True)
    for row in rows:
        if isinstance(row, OutOfMemoryRow):
            continue
        if table.row_count:
            table.add_row()
        named = [*zip(_names(rows), _cells(row), strict=True)]
        for start in range(0, len(named), _BLOCK_COLUMNS):
            label = "" if start else f"batch {row.batch_size:,}"
            table.add_row(label, *chain.from_iterable(named[start : start + _BLOCK_COLUMNS]))
    return table


def _cells(row: Estimate) -> list[str]:
    """The row's figures in the order of their names."""
    return [
        *(units.size(value) for value in msgspec.structs.astuple(row.high_water)),
        units.size(row.peak.bytes),
        units.size(row.formula.total),
        *(_times(row) if isinstance(row, Row) else ()),
        f"{row.updates_per_epoch:,}",
    ]


def _times(row: Row) -> list[str]:
    return [
        units.loss(row.test_loss),
        _accuracy(row.test_accuracy),
        units.seconds(row.step_seconds),
        _rate(row.samples_per_second),
    ]


def _spreads(rows: Sequence[Row]) -> Table:
    """The range of each figure over the repeats."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("repeats", *_SPREAD):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        assert row.spread is not None
        table.add_row(
            f"{row.batch_size:,}",
            _ends(row.spread.test_loss, units.loss),
            _ends(row.spread.test_accuracy, _accuracy),
            _ends(row.spread.step_seconds, units.seconds),
            _ends(row.spread.samples_per_second, _rate),
        )
    return table


def _ends(spread: Range | None, write: Callable[[float | None], str]) -> str:
    return f"{write(spread.low)}…{write(spread.high)}" if spread else units.NOTHING


def _accuracy(share: float | None) -> str:
    return units.NOTHING if share is None else f"{share:.2%}"


def _rate(rate: float | None) -> str:
    return units.NOTHING if rate is None else f"{rate:,.0f}"


def _out_of_memory(row: OutOfMemoryRow) -> str:
    if row.needed is None or row.budget is None:
        message = f"batch {row.batch_size:,} is out of the device's memory"
    else:
        message = f"batch {row.batch_size:,} is out of memory: "
        message += units.at_least(row.needed, row.budget)
    if row.killed:
        message = f"batch {row.batch_size:,}: the worker was killed, probably for lack of memory"
    how = unmodelled(row.unmodelled) if row.unmodelled else "predicted"
    if row.would_fit is None:
        return f"{message} ({how})" if row.unmodelled else message
    return f"{message}; {out_of_memory.fitting(row.would_fit, row.at_best, how)}"
