"""The columns of the rows: what there is room for, how wide each is, and what stands over it."""

from __future__ import annotations

import msgspec
from vramtop.tui.words import units

NAME, HERE, WATER = 17, 9, 12
_SHARE, _FORMULA, _GIVES = 6, 15, 10
# The verdict has what is left: `  +40,968 B` or `  in optimizer`, and one word of a reason more.
_VERDICT, _REASONED = 12, 21


class Columns(msgspec.Struct, frozen=True):
    """The widths of those that may be missing; then they have none."""

    share: int
    formula: int
    gives: int

    @property
    def numbers(self) -> int:
        """The width of what is measured."""
        return HERE + self.share + WATER

    def figures(self, unit: units.Column, here: int, whole: int) -> tuple[str, str]:
        """Bytes and their share of `whole`, as wide as their columns."""
        share = f"{units.share(here, whole):>{self.share}}" if self.share else ""
        return f"{number(unit, here):>{HERE}}", share

    @property
    def titles(self) -> str:
        """What stands over the columns to the right of the bytes."""
        titles = f"{'share':>{self.share}}" if self.share else ""
        titles += f"{'high water':>{WATER}}"
        titles += f"{'  formula':<{self.formula}}" if self.formula else ""
        return titles + (f"{'gives':>{self.gives}}" if self.gives else "")


def columns(width: int, formula: int) -> Columns:
    """Those that so much room is enough for.

    `formula` is the length of the longest one; 0 where there is none.
    """
    least = NAME + HERE + WATER
    share = _SHARE if width >= least + _SHARE + _VERDICT else 0
    if not formula:
        return Columns(share, 0, 0)
    formula = max(_FORMULA, formula + 2)
    all_but_gives = least + _SHARE + formula
    return Columns(
        share,
        formula if width >= all_but_gives + _VERDICT else 0,
        _GIVES if width >= all_but_gives + _GIVES + _REASONED else 0,
    )


def number(unit: units.Column, value: int) -> str:
    """A few bytes in a column of kibibytes are little, but not nothing."""
    text = unit.text(value)
    return "<0.1" if value and text == "0.0" else text
