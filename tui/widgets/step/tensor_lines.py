"""The lines of the list of tensors: name, shape, type and bytes in columns."""

from __future__ import annotations

from rich.text import Text
from vramtop.protocol.split import TensorFacts, Tensors
from vramtop.tui.terminal.palette import Palette, ink
from vramtop.tui.words import units
from vramtop.tui.words.wording import PHASE_NAMES, operator

from .category_columns import number

_GAP = 2
_NAME = 12  # columns for a name at least
_OUTPUT = "output of "


def tensor_lines(
    tensors: Tensors, title: str, width: int, room: int, colors: Palette
) -> list[Text]:
    """A head that begins with `title`, and as many tensors as there is room for.

    The last line counts the tensors that are not shown.
    """
    whole = len(tensors.largest) + (tensors.others > 0)
    count = len(tensors.largest) if 1 + whole <= room else max(0, room - 2)
    unit = units.column(facts.bytes for facts in tensors.largest)
    columns = _TensorColumns(tensors.largest, unit, title, width)
    lines = [Text(columns.line(title, "shape", "type", "alive", unit.unit), ink(colors.muted))]
    for facts, name in zip(tensors.largest[:count], columns.names, strict=False):
        figure = number(unit, facts.bytes)
        lines.append(
            Text(
                columns.line(name, _shape(facts), facts.dtype or "", _alive(facts), figure),
                ink(colors.text),
            )
        )
    missing = tensors.largest[count:]
    others = tensors.others + len(missing)
    if others:
        size = tensors.others_bytes + sum(facts.bytes for facts in missing)
        rest = f"… and {others:,} more, {units.size(size)}"
        lines.append(Text(units.cut(rest, width), ink(colors.muted)))
    return lines[: max(0, room)]


def _name(facts: TensorFacts) -> str:
    """The tensor's name, or else the operator that made it."""
    made_by = operator(facts.operator)
    if facts.name:
        return f"{facts.name} (a view)" if facts.view else facts.name
    if facts.origin:
        return facts.origin
    if not made_by:
        return "from before the step"
    return f"in-kernel buffer of {made_by}" if facts.shape is None else _OUTPUT + made_by


def _shape(facts: TensorFacts) -> str:
    if facts.shape is None:
        return ""
    return "×".join(map(str, facts.shape)) or "scalar"


def _alive(facts: TensorFacts) -> str:
    """The phases in which it was allocated and released: `forward → after`."""
    born = PHASE_NAMES[facts.born] if facts.born else "before"
    return f"{born} → {PHASE_NAMES[facts.gone] if facts.gone else 'after'}"


class _TensorColumns:
    """Columns as wide as their texts; the names have the rest."""

    def __init__(
        self, listed: tuple[TensorFacts, ...], unit: units.Column, title: str, width: int
    ) -> None:
        self._shape = _widest("shape", *map(_shape, listed))
        self._type = _widest("type", *(facts.dtype or "" for facts in listed))
        self._bytes = _widest(unit.unit, *(number(unit, facts.bytes) for facts in listed))
        alive = _widest("alive", *map(_alive, listed))
        room = width - self._shape - self._type - self._bytes - 3 * _GAP
        self.names = [_name(facts) for facts in listed]
        wanted = _widest(title, *self.names)
        self._alive = alive if wanted + _GAP + alive <= room else 0
        self._name = max(_NAME, room - self._alive - (_GAP if self._alive else 0))
        if wanted > self._name:
            self.names = [name.removeprefix(_OUTPUT) for name in self.names]

    def line(self, name: str, shape: str, kind: str, alive: str, size: str) -> str:
        """One line of the table."""
        gap = " " * _GAP
        middle = f"{gap}{alive:<{self._alive}}" if self._alive else ""
        return (
            f"{units.cut(name, self._name):<{self._name}}{gap}{shape:>{self._shape}}"
            f"{gap}{kind:<{self._type}}{middle}{gap}{size:>{self._bytes}}"
        )


def _widest(*texts: str) -> int:
    return max(map(len, texts))
