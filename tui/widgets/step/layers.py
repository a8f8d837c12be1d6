"""The table of layers: output shape, weights, biases and bytes of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from rich.text import Text
from vramtop.protocol.messages import Layer
from vramtop.tui.state.state import State
from vramtop.tui.terminal.palette import ink
from vramtop.tui.widgets.panel import Panel
from vramtop.tui.words import units

_NAME = 10  # the least that a layer's name has


class _LayerColumn(msgspec.Struct, frozen=True):
    """A column: its title, its least width, and its text for a layer."""

    title: str
    width: int
    tell: Callable[[Layer], str]


def _count(number: int) -> str:
    return f"{number:,}" if number else units.NOTHING


_OUTPUT = _LayerColumn("output", 7, lambda layer: "×".join(map(str, layer.output_shape)))
_WEIGHTS = _LayerColumn("weights", 9, lambda layer: _count(layer.weights))
_BIASES = _LayerColumn("biases", 7, lambda layer: _count(layer.biases))
_PARAMETERS = _LayerColumn("parameters", 12, lambda layer: _count(layer.parameters))
_BYTES = _LayerColumn(
    "bytes", 11, lambda layer: units.size(layer.bytes) if layer.bytes else units.NOTHING
)
# The widest first.
_TABLES = (
    (_OUTPUT, _WEIGHTS, _BIASES, _PARAMETERS, _BYTES),
    (_OUTPUT, _WEIGHTS, _BIASES, _BYTES),
    (_OUTPUT, _PARAMETERS, _BYTES),
)


class LayerTable(Panel[tuple[Layer, ...]]):
    """A row for each layer, and their sum. Output shapes leave out the batch dimension."""

    def pick(self, state: State) -> tuple[Layer, ...]:
        """The layers of the model; empty until it is known."""
        return state.program.layers if state.program else ()

    def draw(self, shown: tuple[Layer, ...], width: int, height: int) -> Text:
        """As many rows as there is room for; the sum is of all layers."""
        if not shown:
            return Text()
        colors = self.palette
        model = _sum(shown)
        longest = max(_NAME, *(len(layer.name) for layer in (*shown, model)))
        columns = next((c for c in _TABLES if longest + _least(c) <= width), _TABLES[-1])
        room = max(_NAME, min(longest, width - _least(columns)))
        air = max(0, width - room - _least(columns)) // len(columns)

        def row(name: str, cells: Sequence[str]) -> str:
            """A name, and the other cells in their columns."""
            padded = (f"{cell:>{c.width + air}}" for cell, c in zip(cells, columns, strict=True))
            return units.cut(name, room).ljust(room) + "".join(padded)

        title = row("layer", [column.title for column in columns])
        table = Text(title[:width], ink(colors.muted))
        rows = height - 2
        listed = shown if len(shown) <= rows else shown[: max(0, rows - 1)]
        for layer in listed:
            line = row(layer.name, [column.tell(layer) for column in columns])
            table.append("\n").append(line, ink(colors.text if layer.parameters else colors.muted))
        if len(listed) < len(shown):
            left = f"… {len(shown) - len(listed)} more"
            table.append("\n").append(left, ink(colors.muted))
        # Without a column for all parameters, their number stands in the name.
        name = "Model" if _PARAMETERS in columns else model.name
        line = row(name, [column.tell(model) for column in columns])
        return table.append("\n").append(line, ink(colors.text, bold=True))


def _least(columns: Sequence[_LayerColumn]) -> int:
    return sum(column.width for column in columns)


def _sum(layers: Sequence[Layer]) -> Layer:
    """The sum of all layers, without an output."""
    parameters = sum(layer.parameters for layer in layers)
    return Layer(
        name=f"Model {parameters:,}",
        output_shape=(),
        parameters=parameters,
        bytes=sum(layer.bytes for layer in layers),
        kind="Model",
        weights=sum(layer.weights for layer in layers),
        biases=sum(layer.biases for layer in layers),
    )
