"""Lines of keys and what they do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from rich.text import Text
from vramtop.tui.state.state import State
from vramtop.tui.terminal.palette import Palette, ink

from .panel import Panel

# A key as the keyboard has it, and a word for what it does.
Hint: TypeAlias = tuple[str, str]
ENDS: tuple[Hint, ...] = (("?", "help"), ("q", "quit"))
_GAP = "  "


def key_line(keys: Sequence[Hint], ends: Sequence[Hint], width: int, colors: Palette) -> Text:
    """The `ends` at the right in any width; at the left as many of the first keys as fit."""
    right, left = hints(ends, colors), Text()
    for key in keys:
        longer = left.copy().append(_GAP if left else "").append_text(hints([key], colors))
        if longer.cell_len + len(_GAP) + right.cell_len > width:
            break
        left = longer
    left.append(" " * max(0, width - left.cell_len - right.cell_len))
    return left.append_text(right)


def hints(keys: Sequence[Hint], colors: Palette) -> Text:
    """These keys, beside one another."""
    line = Text()
    for key, name in keys:
        line.append(_GAP if line else "").append(key, ink(colors.accent, bold=True))
        line.append(f" {name}", ink(colors.muted))
    return line


class KeyHints(Panel[bool]):
    """The keys of a screen, the most wanted first; the `ends` are always there."""

    def __init__(self, keys: Sequence[Hint], ends: Sequence[Hint] = ENDS) -> None:
        super().__init__()
        self._keys = keys
        self._ends = ends

    def pick(self, state: State) -> bool:
        """Nothing here depends on the state."""
        del state
        return True

    def draw(self, shown: bool, width: int, height: int) -> Text:
        """As many keys as there is room for."""
        del shown, height
        return key_line(self._keys, self._ends, width, self.palette)
