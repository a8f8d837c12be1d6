"""The split bar: what one step holds, by category, at a scale that is stated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import msgspec
from rich.style import Style
from rich.text import Text
from textual.events import Click
from vramtop.protocol.split import CATEGORIES, Peak, Split
from vramtop.tui.state.full_bar import Scale, full_bar
from vramtop.tui.state.lesson.facts import Lesson
from vramtop.tui.state.moments import Spot
from vramtop.tui.state.state import HeldStep, Life, State
from vramtop.tui.terminal.palette import EMPTY, Palette, dimmed, ink, label
from vramtop.tui.widgets.gpus.device import usage
from vramtop.tui.widgets.panel import Panel, between
from vramtop.tui.words import units, wording
from vramtop.tui.words.wording import PHASE_NAMES

from .blocks import Cell, bar, drawn, write
from .labels import labels
from .picked import Picked
from .zoom import Part, connector

_NARROW = 58  # the least width of the caption in which no phase is left out
# What stands in which column of an empty part.
_Marks: TypeAlias = dict[int, tuple[str, Style]]


class Batch(msgspec.Struct, frozen=True):
    """What the bar shows of the lesson: its batch, and what it does to the peak.

    `predicted` is the peak that `+` would make; `rows` are the images of the step that is held.
    """

    size: int
    accumulation: int
    budget: int | None
    predicted: Peak | None
    rows: int | None
    stuck: bool


class View(msgspec.Struct, frozen=True):
    """What the bar shows: the peak, unless another moment is `seen`.

    `whole` is what the device bar shows, and `start` where in it the step begins, in bytes.
    `power` is the power of two that fills the bar. `batch` is what the lesson adds.
    """

    peak: Peak | None
    seen: Spot | HeldStep | None
    whole: int | None
    start: int
    power: int
    life: Life
    paused: bool
    batch: Batch | None


class SplitBar(Panel[View]):
    """The moment that is shown with the scale, and the bar below it: one line high or more.

    A click on a category's part of the bar says which one it is.
    """

    _scale: Scale = "power of two"

    def cycle_scale(self, *, budget: bool) -> Scale:
        """The next scale; the budget is one where there is a budget."""
        scales: list[Scale] = ["power of two", "peak"]
        if budget:
            scales.append("budget")
        here = scales.index(self._scale) if self._scale in scales else -1
        self._scale = scales[(here + 1) % len(scales)]
        self.draw_again()
        return self._scale

    def usual_scale(self) -> None:
        """The first of the scales, on which a peak that sinks is seen to sink."""
        self._scale = "power of two"
        self.draw_again()

    def pick(self, state: State) -> View:
        """The peak of the settings in force and the moment that is seen instead."""
        used = usage(state)
        return View(
            peak=state.measured.anatomy.peak if state.measured else None,
            seen=state.seen,
            whole=used.whole if used else None,
            start=used.start if used else 0,
            power=state.full_bar,
            life=state.life,
            paused=state.paused,
            batch=_batch(state.lesson) if state.lesson else None,
        )

    def on_click(self, event: Click) -> None:
        """Say whose part of the bar it is."""
        split = _split(self._shown) if self._shown else None
        width, height = self.content_size
        if self._shown is None or split is None or event.y < (2 if _zooms(height) else 1):
            return
        cells = bar(msgspec.structs.astuple(split), self._full(self._shown, split), width)
        if event.x < width and (owner := cells[event.x].larger) != EMPTY:
            self.post_message(Picked(CATEGORIES[owner]))

    def draw(self, shown: View, width: int, height: int) -> Text:
        """The caption and the bar; in four lines or more, what of the device it magnifies."""
        if not _zooms(height):
            return self._bar(shown, width, height, zoom=True)
        part = self._magnified(shown)
        line = Text(connector(part, width) if part else "", ink(self.palette.faint))
        return line.append("\n").append_text(self._bar(shown, width, height - 1, zoom=not line))

    def _magnified(self, shown: View) -> Part | None:
        split = _split(shown)
        if split is None or shown.whole is None:
            return None
        return Part(shown.start, self._full(shown, split), shown.whole)

    def _full(self, shown: View, split: Split) -> int:
        """How many bytes fill the bar."""
        largest = max(1, _peak(shown), split.total)
        return full_bar(self._scale, largest, _budget(shown), shown.power)

    def _bar(self, shown: View, width: int, height: int, *, zoom: bool) -> Text:
        colors, rows = self.palette, max(1, height - 1)
        split = _split(shown)
        if split is None:
            empty = ink(colors.faint, colors.track)
            picture = Text(_waiting(shown), ink(colors.muted))
            for _ in range(rows):
                picture.append("\n").append(colors.empty * width, empty)
            return picture
        scale = self._full(shown, split)
        moments = [self._moment(shown, operator=True), self._moment(shown, operator=False)]
        if width < _NARROW:
            moments.append(Text(moments[0].plain.partition(" in ")[0], ink(colors.text)))
        predicted = shown.batch.predicted if shown.batch and not shown.seen else None
        if predicted:
            growth = f" ┊ + makes it {units.size(predicted.bytes)}"
            moments.insert(0, moments[0].copy().append(growth, ink(colors.muted)))
        picture = _caption(
            moments, self._scale_texts(shown, scale, zoom=zoom), width, ink(colors.muted)
        )
        cells = bar(msgspec.structs.astuple(split), scale, width)
        marks: _Marks = {}
        if predicted:
            marks = ghost(split, predicted.split, scale, width, colors)
            marks[predicted.bytes * width // scale] = "┊", ink(colors.muted, colors.track)
        budget = _budget(shown)
        if budget is not None and budget < scale:
            marks[budget * width // scale] = "╎", ink(colors.trouble, colors.track)
        if shown.seen and shown.peak:
            place = min(width - 1, _peak(shown) * width // scale)
            marks[place] = "╎", ink(colors.text, colors.track)
        for row, words in enumerate(labels(cells, split, rows)):
            picture.append("\n")
            write(picture, self._row(cells, words, marks, bold=row == 0))
        return picture

    def _row(
        self, cells: Sequence[Cell], words: dict[int, str], marks: _Marks, *, bold: bool
    ) -> Iterator[tuple[str, Style]]:
        """A line of the bar with the words in it, and marks in its empty part."""
        colors = self.palette
        for column, cell in enumerate(cells):
            if column in words:
                yield words[column], label(colors, cell.first, bold=bold)
            elif column in marks and cell.first == cell.second == EMPTY:
                yield marks[column]
            else:
                yield drawn(cell, colors)

    def _moment(self, shown: View, *, operator: bool) -> Text:
        colors, text = self.palette, Text()
        seen = shown.seen
        if isinstance(seen, Spot):
            number = f"{seen.place + 1:>{len(str(seen.count))}}/{seen.count}"
            text.append(f"moment {number} ", ink(colors.accent, bold=True))
            text.append(units.size(seen.split.total), ink(colors.text, bold=True))
            text.append(f" in {seen.phase}", ink(colors.muted))
            maker = wording.maker(seen.operator, grew=seen.grew)
            return text.append(f", {maker}" if operator and maker else "", ink(colors.muted))
        if seen is not None:
            text.append("held ", ink(colors.accent, bold=True))
            text.append(units.size(seen.split.total), ink(colors.text, bold=True))
            text.append(f" after {PHASE_NAMES[seen.phase]}", ink(colors.muted))
            return text.append(_held(seen, shown.batch), ink(colors.muted))
        if shown.peak is not None:
            text.append("peak ", ink(colors.muted))
            text.append(units.size(shown.peak.bytes), ink(colors.text, bold=True))
            text.append(f" in {shown.peak.phase}", ink(colors.muted))
            if operator and shown.peak.operator:
                text.append(f", by {wording.operator(shown.peak.operator)}", ink(colors.muted))
        return text

    def _scale_texts(self, shown: View, scale: int, *, zoom: bool) -> list[str]:
        """What fills the bar, in fewer and fewer words."""
        full = f"full bar {units.size(scale)}"
        named = f"{full} ({self._scale})"
        whole = shown.whole
        zoomed = []
        if zoom and whole is not None and whole > scale:
            zoomed = [f"{named}, {units.times(whole / scale)} zoom"]
        return [*zoomed, named, full]


def ghost(now: Split, then: Split, scale: int, width: int, colors: Palette) -> _Marks:
    """What comes on top of the bar, by category, dim: what is not yet.

    Empty where a category gives way: then another moment will be the peak, and what is there now
    is no part of it.
    """
    parts = zip(msgspec.structs.astuple(now), msgspec.structs.astuple(then), strict=True)
    growth = [later - earlier for earlier, later in parts]
    if min(growth) < 0:
        return {}
    start = -(-now.total * width // scale)  # the first cell that the bar leaves empty
    hidden = start * scale // width - now.total
    for category, size in enumerate(growth):
        growth[category] -= min(hidden, size)
        hidden -= min(hidden, size)
    cells = bar(growth, scale, width)[: max(0, width - start)]
    return {
        start + column: _not_yet(cell, colors)
        for column, cell in enumerate(cells)
        if cell.larger != EMPTY
    }


def _not_yet(cell: Cell, colors: Palette) -> tuple[str, Style]:
    if not colors.patterned:
        return drawn(cell, dimmed(colors))
    glyph, _ = drawn(cell, colors)
    return glyph, ink(colors.faint)


def _zooms(height: int) -> bool:
    """Whether there is room for a line that joins it to the device bar."""
    return height >= 4


def _split(shown: View) -> Split | None:
    if shown.seen:
        return shown.seen.split
    return shown.peak.split if shown.peak else None


def _peak(shown: View) -> int:
    """Where the allocator saw more than the ledger, the peak is more than its split's sum."""
    return max(shown.peak.bytes, shown.peak.split.total) if shown.peak else 0


def _caption(moments: Sequence[Text], scales: Sequence[str], width: int, style: Style) -> Text:
    """The moment at the left and the scale at the right, with all of their words that fit."""
    for moment in moments:
        for scale in scales:
            if moment.cell_len + 2 + len(scale) <= width:
                return between(moment, Text(scale, style), width)
    return between(moments[-1], Text(scales[-1], style), width)


def _batch(lesson: Lesson) -> Batch:
    return Batch(
        size=lesson.settings.batch_size,
        accumulation=lesson.settings.accumulation,
        budget=lesson.settings.budget,
        predicted=lesson.predicted.anatomy.peak if lesson.predicted else None,
        rows=lesson.held_rows,
        stuck=lesson.stuck,
    )


def _budget(shown: View) -> int | None:
    return shown.batch.budget if shown.batch else None


def _held(seen: HeldStep, batch: Batch | None) -> str:
    """In which batch of the lesson's step, and of how many images where they are fewer."""
    if batch is None:
        return ""
    text = ""
    if batch.accumulation > 1 and seen.phase not in ("optimizer", "zero_grad"):
        text = f" of batch {seen.part}/{batch.accumulation}"
    if batch.rows is not None and batch.rows < batch.size * batch.accumulation:
        text += f" · {batch.rows:,} images"
    return text


def _waiting(shown: View) -> str:
    """Why there is nothing to show, and what would change that."""
    batch = shown.batch
    if shown.life in ("failed", "gone"):
        return ""
    if shown.life == "starting":
        return "one step of training, by category" if batch else "one step, by category"
    if batch and batch.stuck:
        return f"batch {batch.size:,} does not fit"
    if shown.paused:
        return "paused: space or . measures a step"
    return f"measuring batch {batch.size:,}…" if batch else "measuring a step…"
