"""The table of a watched program's modules: what belongs to each, the most bytes first."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from vramtop.protocol.observed.report import Layer
from vramtop.protocol.split import ALL_CATEGORIES, Category
from vramtop.tui.state.state import State
from vramtop.tui.terminal.palette import ink
from vramtop.tui.widgets.panel import Panel
from vramtop.tui.words import units

_COLUMNS: tuple[tuple[str, Category], ...] = (
    ("params", "parameters"),
    ("grads", "gradients"),
    ("optim.", "optimizer_state"),
    ("activ.", "activations"),
)
_SIZE = 8  # columns of a size
_NAME, _KIND = 12, 20  # the least that a name has, and the most that a class has


class ModuleTable(Panel[tuple[Layer, ...]]):
    """A row for each module, without its children's bytes, and a last one for those left out."""

    def pick(self, state: State) -> tuple[Layer, ...]:
        """The modules of the latest watched step, the most bytes first."""
        modules = state.modules.layers if state.modules else ()
        return tuple(sorted(modules, key=lambda each: -sum(_sizes(each))))

    def draw(self, shown: tuple[Layer, ...], width: int, height: int) -> Text:
        """As many rows as there is room for."""
        colors = self.palette
        if not shown or height < 2:
            return Text()
        room = max(_NAME, width - _SIZE * len(_COLUMNS))
        kind = min(_KIND, max(len(each.kind) for each in shown)) + 2
        kind = kind if room - kind >= _NAME else 0
        name = min(room - kind, max(_NAME, *(len(each.name) for each in shown)))
        titles = "".join(f"{title:>{_SIZE}}" for title, _ in _COLUMNS)
        head = f"{'modules':<{name}}{'':<{kind}}{titles}"
        rows = [Text(head, ink(colors.muted))]
        listed = shown if len(shown) < height else shown[: height - 2]
        for each in listed:
            row = Text(_end_of(each.name or each.kind, name).ljust(name), ink(colors.text))
            row.append(
                f"  {units.cut(each.kind, kind - 2):<{kind - 2}}" if kind else "", ink(colors.muted)
            )
            rows.append(self._figures(row, _sizes(each)))
        if rest := shown[len(listed) :]:
            row = Text(f"… {len(rest)} more".ljust(name + kind), ink(colors.muted))
            sums = [sum(sizes) for sizes in zip(*map(_sizes, rest), strict=True)]
            rows.append(self._figures(row, sums))
        return Text("\n").join(rows)

    def _figures(self, row: Text, sizes: Sequence[int]) -> Text:
        colors = self.palette
        for size, (_, category) in zip(sizes, _COLUMNS, strict=True):
            color = colors.fills[ALL_CATEGORIES.index(category)] if size else colors.faint
            row.append(f"{units.short(size) if size else units.NOTHING:>{_SIZE}}", ink(color))
        return row


def _sizes(layer: Layer) -> tuple[int, int, int, int]:
    return layer.parameters, layer.gradients, layer.optimizer_state, layer.activations


def _end_of(text: str, width: int) -> str:
    """The text; where it is longer than `width`, without its beginning."""
    return text if len(text) <= width else "…" + text[len(text) - width + 1 :]
