"""`vramtop estimate --parameters`: the lesson's closed forms for a model of any kind.

A batch and its activations are left out: their bytes depend on the model.
"""

from __future__ import annotations

import msgspec
from rich.table import Table
from rich.text import Text
from vramtop.protocol.lesson.formula import FLOAT32_BYTES, STATE_FLOATS
from vramtop.protocol.lesson.settings import OPTIMIZERS, OptimizerName
from vramtop.tui.terminal.exits import FINE
from vramtop.tui.terminal.output import show

from .results import csv_text, print_results


class FormulaRow(msgspec.Struct, frozen=True):
    """The formula's bytes for one optimizer; `source` is always `formula`: nothing is measured."""

    source: str
    count: int
    optimizer: OptimizerName
    parameters: int
    gradients: int
    optimizer_state: int
    total: int


def estimate_by_formula(parameters: int, form: str) -> int:
    """Print a row for each optimizer; returns the exit code. Raises `CannotWrite`."""
    rows = [_row(parameters, optimizer) for optimizer in OPTIMIZERS]
    if form == "table":
        head = f"{parameters:,} parameters of float32, by the formula: 4 B each, as have gradients"
        end = "A batch and its activations come on top: they depend on the model."
        show((Text(f"{head}\n"), _table(rows), Text(f"\n{end}")))
        return FINE
    lines = [msgspec.structs.asdict(row) for row in rows]
    print_results(rows, csv_text(FormulaRow.__struct_fields__, lines), form)
    return FINE


def _row(count: int, optimizer: OptimizerName) -> FormulaRow:
    size = FLOAT32_BYTES * count
    state = STATE_FLOATS[optimizer] * size
    return FormulaRow("formula", count, optimizer, size, size, state, 2 * size + state)


def _table(rows: list[FormulaRow]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("optimizer", no_wrap=True)
    for name in ("params", "grads", "optim", "total"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        sizes = (row.parameters, row.gradients, row.optimizer_state, row.total)
        table.add_row(row.optimizer, *(f"{size / 1e6:,.1f} MB" for size in sizes))
    return table
