"""`vramtop estimate --parameters`: what a model of any kind holds by the textbook.

A batch and its activations are left out: their bytes depend on the model.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.table import Table
from rich.text import Text
from vramtop.accounting.textbook import Model, Term, terms
from vramtop.protocol.lesson.settings import OPTIMIZERS, OptimizerName
from vramtop.tui.terminal.exits import FINE
from vramtop.tui.terminal.output import show

from .results import csv_text, print_results

_STATE = "optimizer state"
_COLUMNS = (
    "source", "count", "optimizer", "parameters", "adapters", "gradients", "master_weights",
    "optimizer_state", "autocast_copies", "total",
)  # fmt: skip


class FormulaRow(msgspec.Struct, frozen=True):
    """Bytes on a device with one optimizer; `source` is always `formula`: nothing is measured."""

    source: str
    count: int
    optimizer: OptimizerName
    parameters: int
    adapters: int
    gradients: int
    master_weights: int
    optimizer_state: int
    autocast_copies: int
    total: int
    terms: tuple[Term, ...]


def estimate_by_formula(model: Model, form: str) -> int:
    """Print what each optimizer needs; returns the exit code. Raises `CannotWrite`."""
    rows = [_row(model, optimizer) for optimizer in OPTIMIZERS]
    if form == "table":
        end = "A batch and its activations come on top: they depend on the model."
        show((Text(f"{_head(model)}\n"), _table(rows), Text(f"\n{end}")))
        return FINE
    lines = [{name: getattr(row, name) for name in _COLUMNS} for row in rows]
    print_results(rows, csv_text(_COLUMNS, lines), form)
    return FINE


def _row(model: Model, optimizer: OptimizerName) -> FormulaRow:
    found = terms(model, optimizer)

    def size(name: str) -> int:
        return sum(term.bytes for term in found if term.name == name)

    return FormulaRow(
        "formula",
        model.parameters,
        optimizer,
        parameters=size("parameters"),
        adapters=size("adapters"),
        gradients=size("gradients"),
        master_weights=size("master weights"),
        optimizer_state=size(_STATE),
        autocast_copies=size("autocast copies"),
        total=sum(term.bytes for term in found),
        terms=found,
    )


def _head(model: Model) -> str:
    """What is estimated: `7,000,000,000 parameters, by the formula, on each of 8 devices`."""
    count = f"{model.parameters:,} parameters of {model.dtype}"
    if model.mixed is not None:
        how = "under autocast" if model.mixed == "autocast" else "in 16 bits"
        count = f"{model.parameters:,} parameters {how}"
    each = f", on each of {model.devices:,} devices (ZeRO {model.stage})"
    return f"{count}, by the formula{each if model.devices > 1 else ''}"


def _table(rows: Sequence[FormulaRow]) -> Table:
    """The terms that all optimizers share; then the state and the total of each."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("", "optimizer"):
        table.add_column(name, no_wrap=True)
    table.add_column("bytes", justify="right", no_wrap=True)
    table.add_column("formula", no_wrap=True)
    for term in rows[0].terms:
        if term.name != _STATE:
            table.add_row(term.name, "", _size(term.bytes), term.formula)
    for row in rows:
        (state,) = (term for term in row.terms if term.name == _STATE)
        name = _STATE if row is rows[0] else ""
        table.add_row(name, row.optimizer, _size(state.bytes), state.formula)
    for row in rows:
        name = "total" if row is rows[0] else ""
        table.add_row(name, row.optimizer, _size(row.total), "", style="bold")
    return table


def _size(size: int) -> str:
    """Bytes in decimal units, as the lesson has them."""
    return f"{size / 1e9:,.2f} GB" if size >= 1e10 else f"{size / 1e6:,.1f} MB"
