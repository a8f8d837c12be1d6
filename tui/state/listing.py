"""The list of what is inside a program: modules by depth, lines, or shapes of steps. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import msgspec
from vramtop.protocol.observed.report import Layer, Line
from vramtop.protocol.split import ALL_CATEGORIES, Category

What = Literal["modules", "lines", "shapes"]
_WHATS: tuple[What, ...] = get_args(What)
OF_MODULES: tuple[Category, ...] = ("parameters", "gradients", "optimizer_state", "activations")
_COLUMNS: dict[What, tuple[Category, ...]] = {
    "modules": OF_MODULES,
    "lines": ALL_CATEGORIES,
    "shapes": (),
}
UNKNOWN_LINE = "(no line)"


class Listing(msgspec.Struct, frozen=True):
    """How the list is shown.

    It is sorted `by` a category, or by all of them together. Modules at `depth` have the bytes of
    all modules within them; None leaves each module what belongs to itself alone.
    """

    what: What = "modules"
    by: Category | None = None
    depth: int | None = None

    def next(self) -> Listing:
        """The lines after the modules, then the shapes of steps; sorted by all categories."""
        after = _WHATS.index(self.what) + 1
        return Listing(_WHATS[after % len(_WHATS)], depth=self.depth)

    def sorted_by_next(self, listed: Sequence[Row]) -> Listing:
        """Sorted by the next column that is filled; after the last by all of them together."""
        after = -1 if self.by is None else self.columns.index(self.by)
        by = next((self.columns[at] for at in filled(listed) if at > after), None)
        return msgspec.structs.replace(self, by=by)

    def deeper(self, by: int, most: int) -> Listing:
        """The modules `by` names deeper; beyond the deepest, `most`, each by itself."""
        here = most + 1 if self.depth is None else self.depth
        depth = min(max(1, here + by), most + 1)
        return msgspec.structs.replace(
            self, what="modules", depth=None if depth > most else depth, by=self._of_modules
        )

    @property
    def _of_modules(self) -> Category | None:
        return self.by if self.by in OF_MODULES else None

    @property
    def columns(self) -> tuple[Category, ...]:
        """The categories that a row may have bytes of."""
        return _COLUMNS[self.what]


class Row(msgspec.Struct, frozen=True):
    """A row: its name, its class where it is a module, how many modules it has in it, its bytes.

    `sizes` are in the order of the listing's columns, each at its category's high water. It is
    `recomputed` if any of its modules ran in backward again.
    """

    name: str
    kind: str
    modules: int
    sizes: tuple[int, ...]
    recomputed: bool = False


def rows(listing: Listing, layers: Sequence[Layer], lines: Sequence[Line]) -> tuple[Row, ...]:
    """The rows, the most bytes first."""
    if listing.what == "shapes":
        found = list[Row]()  # these have a table of their own
    elif listing.what == "lines":
        found = [Row(each.line or UNKNOWN_LINE, "", 0, _of_line(each)) for each in lines]
    elif listing.depth is None:
        found = [
            Row(each.name or each.kind, each.kind, 1, _of_layer(each), each.recomputed)
            for each in layers
        ]
    else:
        found = _within(layers, listing.depth)
    at = None if listing.by is None else listing.columns.index(listing.by)

    def order(row: Row) -> tuple[int, int]:
        return 0 if at is None else -row.sizes[at], -sum(row.sizes)

    return tuple(sorted(found, key=order))


def filled(listed: Sequence[Row]) -> list[int]:
    """The places of the columns in which any of these rows has bytes."""
    return [
        at
        for at, sizes in enumerate(zip(*(row.sizes for row in listed), strict=True))
        if any(sizes)
    ]


def deepest(layers: Sequence[Layer]) -> int:
    """How many names the longest path has."""
    return max((len(_parts(each.name)) for each in layers), default=0)


def _within(layers: Sequence[Layer], depth: int) -> list[Row]:
    """The modules at this depth, and those above it, with all that is within."""
    together: dict[str, list[Layer]] = {}
    for each in layers:
        together.setdefault(".".join(_parts(each.name)[:depth]), []).append(each)
    return [_sum(name, members) for name, members in together.items()]


def _sum(name: str, members: Sequence[Layer]) -> Row:
    own = next((each.kind for each in members if each.name == name), "")
    sizes = zip(*map(_of_layer, members), strict=True)
    again = any(each.recomputed for each in members)
    return Row(name or own or "all", own, len(members), tuple(sum(each) for each in sizes), again)


def _parts(path: str) -> list[str]:
    return path.split(".") if path else []


def _of_layer(layer: Layer) -> tuple[int, ...]:
    return tuple(getattr(layer, category) for category in OF_MODULES)


def _of_line(line: Line) -> tuple[int, ...]:
    return tuple(line.split.of(category) for category in ALL_CATEGORIES)
