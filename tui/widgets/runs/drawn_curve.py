"""A curve on the screen that grows at its end."""

from __future__ import annotations

from collections.abc import Sequence

from .curves import Extents, cells, extents, per_cell
from .scales import Scale


class DrawnCurve:
    """Draws a curve anew only from where it has changed.

    A training adds values at the end, while the scale and the length of the axis change rarely.
    """

    def __init__(self) -> None:
        self._fitted: tuple[Scale, int, bool] | None = None  # scale, rows, and whether braille
        self._values: tuple[float | None, ...] = ()
        self._columns: Sequence[slice] = ()
        self._extents: Extents = []
        self._rows: list[str] = []

    def rows(
        self,
        values: tuple[float | None, ...],
        columns: Sequence[slice],
        scale: Scale,
        rows: int,
        *,
        braille: bool,
    ) -> list[str]:
        """So many rows of characters for the curve through these values.

        `columns` are the values in each column; with `braille`, two of them share a character.
        """
        across, levels = per_cell(braille=braille)
        fitted = (scale, rows, braille)
        same = self._same(values, columns) if fitted == self._fitted else 0
        self._extents = extents(values, columns, scale, rows * levels, self._extents[:same])
        whole = same // across
        new = cells(self._extents[whole * across :], rows, braille=braille)
        kept = [row[:whole] for row in self._rows] if whole else [""] * rows
        self._rows = [old + end for old, end in zip(kept, new, strict=True)]
        self._fitted, self._values, self._columns = fitted, values, columns
        return self._rows

    def _same(self, values: tuple[float | None, ...], columns: Sequence[slice]) -> int:
        """How many columns from the first on are as they were; the last of these has points."""
        if len(columns) != len(self._columns):
            return 0
        same = end = 0
        for x, (was, now) in enumerate(zip(self._columns, columns, strict=True), 1):
            if was != now:
                break
            if now.stop > now.start:
                same, end = x, now.stop
        return same if values[:end] == self._values[:end] else 0
