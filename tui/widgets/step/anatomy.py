"""The anatomy of a step: its memory from allocation to release, stacked over the phases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import msgspec
from rich.style import Style
from rich.text import Text
from textual.events import Click
from textual.message import Message
from vramtop.protocol.split import ALL_CATEGORIES, Anatomy, Phase, Split
from vramtop.tui.state import moments
from vramtop.tui.state.moments import Spot
from vramtop.tui.state.state import State
from vramtop.tui.terminal.palette import EMPTY, dimmed, ink
from vramtop.tui.widgets.panel import Panel
from vramtop.tui.words import units, wording

from .blocks import UPWARD, Cell, bar, drawn, write
from .captions import Caption, Words, caption_line
from .stretches import Stretch, column_of, splits, stretches

_CAPTIONS = 2  # the line of captions, the line of phases


class AnatomyFacts(msgspec.Struct, frozen=True):
    """The latest anatomy, the phase after which a step is `held`, and the place that is shown.

    `place` is that of the cursor or else of the boundary; None where the peak is shown. `spot` is
    the moment at the cursor; None without a cursor.
    """

    anatomy: Anatomy | None
    held: Phase | None
    place: int | None
    spot: Spot | None


class AnatomyChart(Panel[AnatomyFacts]):
    """Stacked columns with the phases under them and the peak marked.

    Columns after the place that is shown are dim; without colours only their outline is drawn.
    """

    class Chosen(Message):
        """The moment at that place in the curve was clicked."""

        def __init__(self, place: int) -> None:
            super().__init__()
            self.place = place

    def pick(self, state: State) -> AnatomyFacts:
        """What was measured last, and where the step is held or the cursor is."""
        anatomy = state.measured.anatomy if state.measured else None
        seen = state.seen
        spot = seen if isinstance(seen, Spot) else None
        return AnatomyFacts(anatomy, state.held.phase if state.held else None, state.place, spot)

    def on_click(self, event: Click) -> None:
        """Ask for the cursor at the moment of that column."""
        anatomy, width = self._shown.anatomy if self._shown else None, self.content_size.width
        if anatomy is not None and anatomy.curve and 0 <= event.x < width:
            columns = [each for part in stretches(anatomy, width) for each in part.columns]
            self.post_message(self.Chosen(columns[event.x].place))

    def draw(self, shown: AnatomyFacts, width: int, height: int) -> Text:
        """The chart, in all the room there is."""
        anatomy = shown.anatomy
        if anatomy is None or not anatomy.curve or height <= _CAPTIONS:
            hint = "the anatomy of one step, phase by phase"
            return Text(hint, ink(self.palette.muted))
        parts = stretches(anatomy, width)
        columns = splits(anatomy, parts)
        rows = height - _CAPTIONS
        scale = max(1, anatomy.peak.split.total, *(split.total for split in columns))
        stacks = [_stack(split, scale, rows) for split in columns]
        here = None if shown.place is None else column_of(parts, shown.place)
        picture = caption_line(self._captions(shown, anatomy, parts, here), width)
        for row in reversed(range(rows)):
            write(picture.append("\n"), self._row(stacks, row, here))
        return picture.append("\n").append_text(self._axis(parts, shown, here))

    def _row(
        self, stacks: Sequence[Sequence[Cell]], row: int, here: int | None
    ) -> Iterator[tuple[str, Style]]:
        """The cells of one line of the chart; `row` counts from below."""
        bright = self.palette
        accent = ink(bright.accent)
        for column, stack in enumerate(stacks):
            cell, ahead = stack[row], here is not None and column > here
            if cell.larger == EMPTY and (bright.patterned or cell.first == EMPTY):
                yield ("│", accent) if column == here else (" ", accent)
            elif ahead and bright.patterned:
                top = row + 1 == len(stack) or stack[row + 1].larger == EMPTY
                yield "╌" if top else " ", ink(bright.faint)
            else:
                colors = dimmed(bright) if ahead else bright
                if cell.second == EMPTY and not bright.patterned:
                    yield cell.glyph, ink(colors.fills[cell.first])
                else:
                    yield drawn(cell, colors)

    def _captions(
        self, shown: AnatomyFacts, anatomy: Anatomy, parts: Sequence[Stretch], here: int | None
    ) -> list[Caption]:
        """The captions of the cursor and the peak.

        The peak's size and operator stand beside it while the split bar shows another moment.
        """
        colors = self.palette
        place = moments.peak(anatomy)
        columns = [column for part in parts for column in part.columns]
        at = next((n for n, column in enumerate(columns) if column.place == place), 0)
        if here is not None and shown.place == place:
            at = here
        names = ["peak"]
        if shown.held or shown.spot:
            names.insert(0, f"peak {units.size(anatomy.peak.bytes)}")
            if anatomy.peak.operator:
                names.insert(0, f"{names[0]}, {wording.by(anatomy.peak.operator)}")
        words = [((each, ink(colors.muted)),) for each in names]
        captions = [Caption(at, "▼", ink(colors.text), words)]
        if here is not None:
            mark = "▼" if here == at else "│"
            made = self._changes(shown.spot) if shown.spot else []
            captions.insert(0, Caption(here, mark, ink(colors.accent, bold=True), made))
        return captions

    def _changes(self, spot: Spot) -> list[Words]:
        """What made this moment, in fewer and fewer words."""
        colors, whole, comma = self.palette, list[tuple[str, Style]](), ""
        for category, size in spot.changes:
            color = colors.fills[ALL_CATEGORIES.index(category)]
            whole.append((f"{comma}{units.change(size)} ", ink(colors.text, bold=True)))
            whole.append((wording.NAMES[category].lower(), ink(color)))
            comma = ", "
        maker = wording.maker(spot.operator, grew=spot.grew)
        named = [*whole, (f" {maker}" if maker else "", ink(colors.muted))]
        return [tuple(named), tuple(whole), tuple(whole[:2])] if whole else []

    def _axis(self, parts: Sequence[Stretch], shown: AnatomyFacts, here: int | None) -> Text:
        """The names of the phases, and a line from the current one's name to the place shown."""
        colors, axis = self.palette, Text()
        current = _current(parts, shown.held, here)
        for part in parts:
            room = len(part.columns)
            name = units.cut(f"╵{part.name}", room)
            if part is not current:
                axis.append(name.ljust(room), ink(colors.muted))
                continue
            axis.append(name, ink(colors.accent, bold=True))
            reached = (part.end - 1 if here is None else here) - part.start
            dashes = reached - len(name) - 1
            drawn_line = f" {'─' * dashes}╯" if dashes >= 1 else ""
            axis.append(drawn_line.ljust(room - len(name)), ink(colors.accent))
        return axis


def _current(parts: Sequence[Stretch], held: Phase | None, here: int | None) -> Stretch | None:
    """The part with the place that is shown, or that of the held phase."""
    if here is not None:
        return next(part for part in parts if here < part.end)
    return next((part for part in reversed(parts) if part.phase == held), None)


@lru_cache(maxsize=1024)
def _stack(split: Split, scale: int, rows: int) -> Sequence[Cell]:
    return bar(msgspec.structs.astuple(split), scale, rows, UPWARD)
