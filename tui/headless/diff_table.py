"""The table of two results, side by side, at most 80 columns wide where names are not longer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.table import Table
from rich.text import Text
from vramtop.accounting.program.compared import (
    Change,
    Comparison,
    KindChange,
    LayerChange,
    ProgramChange,
)
from vramtop.tui.terminal.output import Page
from vramtop.tui.words import units
from vramtop.tui.words.autopsy import inputs
from vramtop.tui.words.wording import NAMES

from .figures import figures, shortened

_LAYERS, _NAME, _KIND = 10, 28, 18


def page(found: Comparison) -> Page:
    """Each process after the other; then those that only one of the results has."""
    parts: list[Text | Table] = []
    for program in found.programs:
        parts += [Text()] if parts else []
        parts += _program(program)
    for names, where in ((found.lost, "first"), (found.new, "second")):
        parts += [Text(f"Only in the {where} file: {name}.") for name in names]
    return parts


def _program(program: ProgramChange) -> Iterable[Text | Table]:
    was, now = program.program
    rank = f" · rank {program.rank}" if program.rank is not None else ""
    yield Text(f"{_both(was, now)}{rank} · {program.device}", style="bold")
    for kind in program.kinds:
        yield Text(f"{kind.kind.capitalize()}: {_both(*map(inputs, kind.inputs))}")
        yield _categories(kind)
    for lost in program.lost:
        yield Text(f"Only in the first file: {lost}.")
    if program.layers:
        yield Text()
        yield _layers(program.layers)


def _both(before: str, after: str) -> str:
    return before if before == after else f"{before} → {after}"


def _categories(kind: KindChange) -> Table:
    """The categories at the peak, and the peak itself."""
    rows = figures("bytes at the peak", "before", "after", "change", "")
    for name, change in kind.categories.items():
        rows.add_row(NAMES[name], *_row(change))
    rows.add_row("Total", *_row(kind.peak), style="bold")
    return rows


def _row(change: Change) -> tuple[str, str, str, str]:
    more = f"{change.bytes:+,}" if change.bytes else units.NOTHING
    return f"{change.before:,}", f"{change.after:,}", more, _growth(change)


def _growth(change: Change) -> str:
    if not change.bytes:
        return ""
    return f"{change.growth:+.1%}" if change.before else "new"


def _layers(layers: Sequence[LayerChange]) -> Table:
    """The modules that changed most."""
    rows = figures("layers that changed", "params", "grads", "optim", "activ.", described="kind")
    for layer in layers[:_LAYERS]:
        parts = (layer.parameters, layer.gradients, layer.optimizer_state, layer.activations)
        rows.add_row(_name(layer), _kind(layer), *map(_short, parts))
    if len(layers) > _LAYERS:
        rows.add_row(f"and {len(layers) - _LAYERS:,} more", "", *[""] * 4)
    return rows


def _name(layer: LayerChange) -> str:
    was, now = layer.kinds
    mark = "+ " if was is None else "− " if now is None else ""
    return mark + shortened(layer.name or now or was or "", _NAME)


def _kind(layer: LayerChange) -> str:
    was, now = layer.kinds
    return units.cut(_both(was or now or "", now or was or ""), _KIND)


def _short(change: Change) -> str:
    if not change.bytes:
        return units.NOTHING
    return f"{'+' if change.bytes > 0 else '−'}{units.short(abs(change.bytes))}"
