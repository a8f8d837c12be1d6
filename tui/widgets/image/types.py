"""The data types side by side: bits, bytes, range, and the bytes of an image in each."""

from __future__ import annotations

from rich.text import Text
from vramtop.tui.state.lesson.facts import known
from vramtop.tui.state.state import State
from vramtop.tui.terminal.palette import ink
from vramtop.tui.widgets.panel import Panel
from vramtop.tui.words.number_types import NUMBER_TYPES

_NAME, _BITS, _BYTES, _RANGE, _DIGITS, _IMAGE, _USE = 10, 4, 7, 12, 8, 12, 15
_USES = {"uint8": "in the files", "float32": "in training"}
_LEAST = _NAME + _BITS + _BYTES + _RANGE


class TypeTable(Panel[tuple[int | None]]):
    """A row for each type; those of the files and of the training are marked as such."""

    def pick(self, state: State) -> tuple[int | None]:
        """How many values an image has; None before the data is known."""
        configured = known(state.lesson).configured
        if configured is None:
            return (None,)
        channels, height, width = configured.data.shape
        return (channels * height * width,)

    def draw(self, shown: tuple[int | None], width: int, height: int) -> Text:
        """All types; the columns at the right only where there is room."""
        del height
        (values,), colors = shown, self.palette
        image = values is not None and width >= _LEAST + _IMAGE
        digits = width >= _LEAST + _DIGITS + (_IMAGE if image else 0)
        title = f"{'data type':<{_NAME}}{'bits':>{_BITS}}{'bytes':>{_BYTES}}{'range':>{_RANGE}}"
        title += f"{'digits':>{_DIGITS}}" if digits else ""
        table = Text(title + (f"{'an image':>{_IMAGE}}" if image else ""), ink(colors.muted))
        for kind in NUMBER_TYPES:
            row = f"{kind.name:<{_NAME}}{kind.bits:>{_BITS}}{kind.bytes:>{_BYTES}}"
            row += f"{kind.range:>{_RANGE}}"
            row += f"{kind.digits:>{_DIGITS}}" if digits else ""
            if image and values is not None:
                size = f"{values * kind.bytes:,} B"
                row += f"{size:>{_IMAGE}}"
            if width >= _LEAST + _DIGITS + _IMAGE + _USE:
                row += f"   {_USES.get(kind.name, '')}"
            trained = kind.name == "float32"
            table.append("\n").append(row, ink(colors.accent if trained else colors.text))
        return table
