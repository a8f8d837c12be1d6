"""The columns of the table of categories: which have room, their widths and titles."""

from __future__ import annotations

import msgspec
from vramtop.tui.words import units

NAME, HERE, WATER = 17, 9, 12
_SHARE, _FORMULA, _GIVES = 6, 15, 10
# The verdict has the rest: `  +40,968 B` or `  in optimizer`, or with one word of a reason.
_VERDICT, _REASONED = 12, 21


class CategoryColumns(msgspec.Struct, frozen=True):
    """The widths of the columns that may be left out; then the width is 0."""

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

    def titles(self, formula: str) -> str:
        """The titles of the columns right of the bytes."""
        titles = f"{'share':>{self.share}}" if self.share else ""
        titles += f"{'high water':>{WATER}}"
        titles += f"{f'  {formula}':<{self.formula}}" if self.formula else ""
        return titles + (f"{'gives':>{self.gives}}" if self.gives else "")


def columns(width: int, formula: int) -> CategoryColumns:
    """The columns that fit into this width.

    `formula` is the length of the longest formula; 0 where there is none.
    """
    least = NAME + HERE + WATER
    share = _SHARE if width >= least + _SHARE + _VERDICT else 0
    if not formula:
        return CategoryColumns(share, 0, 0)
    formula = max(_FORMULA, formula + 2)
    all_but_gives = least + _SHARE + formula
    return CategoryColumns(
        share,
        formula if width >= all_but_gives + _VERDICT else 0,
        _GIVES if width >= all_but_gives + _GIVES + _REASONED else 0,
    )


def number(unit: units.Column, value: int) -> str:
    """The bytes in the column's unit; `<0.1` where they would be rounded to 0."""
    text = unit.text(value)
    return "<0.1" if value and text == "0.0" else text
