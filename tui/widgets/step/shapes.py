"""The table of the shapes that a watched program's steps had: what each took at most."""

from __future__ import annotations

from rich.text import Text
from vramtop.protocol.observed.shapes import Shape, Shapes
from vramtop.tui.state.state import State
from vramtop.tui.terminal.palette import ink
from vramtop.tui.widgets.panel import Panel
from vramtop.tui.words import shapes, units
from vramtop.tui.worker.link import ShapesSeen

_COLUMNS = (("watched", 9), ("peak", 8), ("step time", 11))
_FIGURES = sum(width for _, width in _COLUMNS)


class ShapeTable(Panel[ShapesSeen | None]):
    """A row for each kind of step and shape, the highest peak first; then the room that is left."""

    def show(self, state: State) -> None:
        """Show the state; a screen with something to show here has the class `shaped`.

        Where the shapes are asked for, they stand in the place of modules and lines: `by-shape`.
        """
        self.screen.set_class(self.pick(state) is not None, "shaped")
        self.screen.set_class(state.listing.what == "shapes", "by-shape")
        super().show(state)

    def pick(self, state: State) -> ShapesSeen | None:
        """What was seen, once that is more than one shape, or is asked for."""
        seen = state.shapes
        if state.listing.what == "shapes":
            return seen or ShapesSeen(Shapes())
        return seen if seen is not None and len(seen.shapes.seen) > 1 else None

    def draw(self, shown: ShapesSeen | None, width: int, height: int) -> Text:
        """As many rows as there is room for."""
        if shown is None or height < 2:
            return Text()
        colors, seen = self.palette, shown.shapes.seen
        name = max(0, width - _FIGURES)
        titles = "".join(f"{title:>{width}}" for title, width in _COLUMNS)
        rows = [Text(f"{units.cut('shapes seen', name):<{name}}{titles}", ink(colors.muted))]
        room = height - 1 - (shown.room is not None)
        everything = len(seen) <= room and not shown.shapes.unlisted
        listed = seen if everything else seen[: room - 1]
        rows += [self._row(each, name) for each in listed]
        if not everything:
            steps = sum(each.watched for each in seen[len(listed) :]) + shown.shapes.unlisted
            rows.append(Text(f"{'… other shapes':<{name}}{steps:>9,}", ink(colors.muted)))
        if shown.room is not None:
            rows.append(Text(units.cut(shapes.room(shown.room), width), ink(colors.text)))
        return Text("\n").join(rows)

    def _row(self, shape: Shape, name: int) -> Text:
        colors = self.palette
        kind = "" if shape.kind == "training" else "inference "
        text = units.cut(f"{kind}{shapes.inputs(shape.inputs)}", name - 1)
        row = Text(f"{text:<{name}}", ink(colors.text))
        figures = (f"{shape.watched:,}", units.short(shape.peak), units.seconds(shape.seconds))
        for figure, (_, width) in zip(figures, _COLUMNS, strict=True):
            row.append(f"{figure:>{width}}", ink(colors.text))
        return row
