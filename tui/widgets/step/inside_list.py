"""The list of what is inside a watched program: its modules, or its lines."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.text import Text
from vramtop.protocol.observed.report import Layer, Line
from vramtop.protocol.split import ALL_CATEGORIES, Category
from vramtop.tui.state.listing import Listing, Row, filled, rows
from vramtop.tui.state.state import State
from vramtop.tui.terminal.palette import Palette, ink
from vramtop.tui.widgets.panel import Panel
from vramtop.tui.words import units
from vramtop.tui.words.wording import RECOMPUTED

_SHORT = ("params", "grads", "optim.", "data", "activ.", "temp.", "other")
_TITLES: dict[Category, str] = dict(zip(ALL_CATEGORIES, _SHORT, strict=True))
_SIZE, _SHARE = 8, 6  # columns of a size, and of a share
_NAME, _KIND = 12, 20  # the least that a name has, and the most that a class has
_SORTED = "▼"


class Inside(msgspec.Struct, frozen=True):
    """What the latest watched step has of each module and each line, and how it is listed."""

    listing: Listing
    layers: tuple[Layer, ...] = ()
    lines: tuple[Line, ...] = ()


class InsideList(Panel[Inside]):
    """A row for each module or line, and a last one for those left out."""

    def pick(self, state: State) -> Inside:
        """The modules and lines of the latest watched step."""
        modules = state.modules
        if modules is None:
            return Inside(state.listing)
        return Inside(state.listing, modules.layers, modules.lines)

    def draw(self, shown: Inside, width: int, height: int) -> Text:
        """As many rows as there is room for; columns that are empty in all rows are left out."""
        listed = rows(shown.listing, shown.layers, shown.lines)
        if not listed or height < 2:
            return Text()
        columns = filled(listed)
        whole = sum(sum(row.sizes) for row in listed)
        room = max(_NAME, width - _SIZE * len(columns) - _SHARE)
        kind = min(_KIND, max(len(row.kind) for row in listed)) + 2
        kind = kind if kind > 2 and room - kind >= _NAME else 0
        name = min(room - kind, max(_NAME, len(_title(shown.listing)), *map(_width, listed)))
        drawn = _Drawn(self.palette, shown.listing, columns, name=name, kind=kind, whole=whole)
        lines = [drawn.head()]
        seen = listed if len(listed) < height else listed[: max(1, height - 2)]
        lines += [drawn.row(row) for row in seen]
        if left := listed[len(seen) :]:
            sizes = tuple(sum(each) for each in zip(*(row.sizes for row in left), strict=True))
            lines.append(drawn.row(Row(f"… {len(left)} more", "", 0, sizes), faint=True))
        return Text("\n").join(lines[:height])


class _Drawn:
    """Draws rows in columns of the same widths."""

    def __init__(
        self,
        colors: Palette,
        listing: Listing,
        columns: Sequence[int],
        *,
        name: int,
        kind: int,
        whole: int,
    ) -> None:
        self._colors, self._listing = colors, listing
        self._categories, self._columns = listing.columns, columns
        self._name, self._kind, self._whole = name, kind, whole

    def head(self) -> Text:
        """The title, and those of the columns; a mark stands at the one that they are sorted by."""
        listing = self._listing
        titles = [self._categories[at] for at in self._columns]
        marked = [
            f"{_TITLES[each] + (_SORTED if each == listing.by else ''):>{_SIZE}}" for each in titles
        ]
        share = "all" + (_SORTED if listing.by is None else "")
        text = f"{_title(listing):<{self._name + self._kind}}{''.join(marked)}"
        return Text(f"{text}{share:>{_SHARE}}", ink(self._colors.muted))

    def row(self, row: Row, *, faint: bool = False) -> Text:
        """The name, the class, the bytes, and their share of what all rows have."""
        colors = self._colors
        name = _end_of(_named(row), self._name)
        text = Text(f"{name:<{self._name}}", ink(colors.muted if faint else colors.text))
        if self._kind:
            kind = units.cut(row.kind, self._kind - 2)
            text.append(f"  {kind:<{self._kind - 2}}", ink(colors.muted))
        for at in self._columns:
            size = row.sizes[at]
            category = ALL_CATEGORIES.index(self._categories[at])
            color = colors.fills[category] if size else colors.faint
            text.append(f"{units.short(size) if size else units.NOTHING:>{_SIZE}}", ink(color))
        share = units.share(sum(row.sizes), self._whole)
        return text.append(f"{share:>{_SHARE}}", ink(colors.muted))


def _title(listing: Listing) -> str:
    if listing.what == "modules" and listing.depth is not None:
        return f"modules, depth {listing.depth}"
    return listing.what


def _named(row: Row) -> str:
    name = f"{row.name} ({row.modules})" if row.modules > 1 else row.name
    return f"{name} {RECOMPUTED}" if row.recomputed else name


def _width(row: Row) -> int:
    return len(_named(row))


def _end_of(text: str, width: int) -> str:
    """The text; where it is longer than `width`, without its beginning."""
    return text if len(text) <= width else "…" + text[len(text) - width + 1 :]
