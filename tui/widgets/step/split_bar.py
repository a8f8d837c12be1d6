"""The split bar: the bytes of one step by category, with its scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import msgspec
from rich.style import Style
from rich.text import Text
from textual.events import Click
from vramtop.protocol.split import ALL_CATEGORIES, Peak, Split
from vramtop.tui.state.full_bar import BarScale, full_bar
from vramtop.tui.state.lesson.facts import Lesson
from vramtop.tui.state.moments import Spot
from vramtop.tui.state.state import HeldStep, Life, State
from vramtop.tui.terminal.palette import EMPTY, Palette, dimmed, ink, label
from vramtop.tui.widgets.gpus.device_usage import usage
from vramtop.tui.widgets.panel import Panel, between
from vramtop.tui.words import units, wording
from vramtop.tui.words.wording import PHASE_NAMES

from .blocks import Cell, bar, drawn, write
from .labels import labels
from .picked import Picked
from .zoom import Magnified, connector

_NARROW = 58  # columns from which on the caption has the phase
# Characters in the empty part of the bar, by column.
_Marks: TypeAlias = dict[int, tuple[str, Style]]


class LessonBatch(msgspec.Struct, frozen=True):
    """The lesson's batch.

    `predicted` is the peak of twice the batch. `rows` is the number of images in the held step.
    """

    size: int
    accumulation: int
    budget: int | None
    predicted: Peak | None
    rows: int | None
    stuck: bool


class SplitBarFacts(msgspec.Struct, frozen=True):
    """What the bar shows: the moment `seen`, or where that is None, the peak.

    `whole` is the size of the device bar in bytes, and `start` the bytes before the step in it.
    `power` is the power of two that fills the split bar. `batch` is the lesson's.
    `trouble` is why no step of a program could be recorded.
    """

    peak: Peak | None
    seen: Spot | HeldStep | None
    whole: int | None
    start: int
    power: int
    life: Life
    paused: bool
    batch: LessonBatch | None
    trouble: str


class SplitBar(Panel[SplitBarFacts]):
    """A caption with the moment and the scale, and below it the bar, one line high or more.

    A click on a category's part of the bar chooses that category.
    """

    _scale: BarScale = "power of two"

    def cycle_scale(self, *, budget: bool) -> None:
        """Use the next scale. The budget is one of them where there is a budget."""
        scales: list[BarScale] = ["power of two", "peak"]
        if budget:
            scales.append("budget")
        here = scales.index(self._scale) if self._scale in scales else -1
        self._scale = scales[(here + 1) % len(scales)]
        self.draw_again()

    def usual_scale(self) -> None:
        """Use the first scale, on which the bar gets shorter when the peak sinks."""
        self._scale = "power of two"
        self.draw_again()

    def pick(self, state: State) -> SplitBarFacts:
        """The latest peak, and the moment that is shown instead of it."""
        used = usage(state)
        return SplitBarFacts(
            peak=state.measured.anatomy.peak if state.measured else None,
            seen=state.seen,
            whole=used.whole if used else None,
            start=used.start if used else 0,
            power=state.full_bar,
            life=state.life,
            paused=state.paused,
            batch=_batch(state.lesson) if state.lesson else None,
            trouble=state.watched.trouble if state.watched else "",
        )

    def on_click(self, event: Click) -> None:
        """Choose the category whose part of the bar it is."""
        split = _split(self._shown) if self._shown else None
        width, height = self.content_size
        if self._shown is None or split is None or event.y < (2 if _zooms(height) else 1):
            return
        cells = bar(msgspec.structs.astuple(split), self._full(self._shown, split), width)
        if event.x < width and (owner := cells[event.x].larger) != EMPTY:
            self.post_message(Picked(ALL_CATEGORIES[owner]))

    def draw(self, shown: SplitBarFacts, width: int, height: int) -> Text:
        """The caption and the bar; from four lines on, also lines to the device bar."""
        if not _zooms(height):
            return self._bar(shown, width, height, zoom=True)
        part = self._magnified(shown)
        line = Text(connector(part, width) if part else "", ink(self.palette.faint))
        return line.append("\n").append_text(self._bar(shown, width, height - 1, zoom=not line))

    def _magnified(self, shown: SplitBarFacts) -> Magnified | None:
        split = _split(shown)
        if split is None or shown.whole is None:
            return None
        return Magnified(shown.start, self._full(shown, split), shown.whole)

    def _full(self, shown: SplitBarFacts, split: Split) -> int:
        """How many bytes fill the bar."""
        largest = max(1, _peak(shown), split.total)
        return full_bar(self._scale, largest, _budget(shown), shown.power)

    def _bar(self, shown: SplitBarFacts, width: int, height: int, *, zoom: bool) -> Text:
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

    def _moment(self, shown: SplitBarFacts, *, operator: bool) -> Text:
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
                text.append(f", {wording.by(shown.peak.operator)}", ink(colors.muted))
        return text

    def _scale_texts(self, shown: SplitBarFacts, scale: int, *, zoom: bool) -> list[str]:
        """What fills the bar, in fewer and fewer words."""
        full = f"full bar {units.size(scale)}"
        named = f"{full} ({self._scale})"
        whole = shown.whole
        zoomed = []
        if zoom and whole is not None and whole > scale:
            zoomed = [f"{named}, {units.times(whole / scale)} zoom"]
        return [*zoomed, named, full]


def ghost(now: Split, then: Split, scale: int, width: int, colors: Palette) -> _Marks:
    """The predicted growth from `now` to `then`, dim, by column after the end of the bar.

    It is empty where a category shrinks: then another moment will be the peak, and its split is not
    that of `now` with something added.
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
    """Whether there is room for the line that leads to the device bar."""
    return height >= 4


def _split(shown: SplitBarFacts) -> Split | None:
    if shown.seen:
        return shown.seen.split
    return shown.peak.split if shown.peak else None


def _peak(shown: SplitBarFacts) -> int:
    """The bytes of the peak, which may exceed its split where the allocator saw more."""
    return max(shown.peak.bytes, shown.peak.split.total) if shown.peak else 0


def _caption(moments: Sequence[Text], scales: Sequence[str], width: int, style: Style) -> Text:
    """The moment at the left and the scale at the right, in as many words as fit."""
    for moment in moments:
        for scale in scales:
            if moment.cell_len + 2 + len(scale) <= width:
                return between(moment, Text(scale, style), width)
    return between(moments[-1], Text(scales[-1], style), width)


def _batch(lesson: Lesson) -> LessonBatch:
    return LessonBatch(
        size=lesson.settings.batch_size,
        accumulation=lesson.settings.accumulation,
        budget=lesson.settings.budget,
        predicted=lesson.predicted.anatomy.peak if lesson.predicted else None,
        rows=lesson.held_rows,
        stuck=lesson.stuck,
    )


def _budget(shown: SplitBarFacts) -> int | None:
    return shown.batch.budget if shown.batch else None


def _held(seen: HeldStep, batch: LessonBatch | None) -> str:
    """The batch within an accumulated step, and the images where they are fewer than usual."""
    if batch is None:
        return ""
    text = ""
    if batch.accumulation > 1 and seen.phase not in ("optimizer", "zero_grad"):
        text = f" of batch {seen.part}/{batch.accumulation}"
    if batch.rows is not None and batch.rows < batch.size * batch.accumulation:
        text += f" · {batch.rows:,} images"
    return text


def _waiting(shown: SplitBarFacts) -> str:
    """Why there is nothing to show, and what would change that."""
    batch = shown.batch
    if shown.life in ("ended", "failed", "gone"):
        return ""
    if shown.life == "starting":
        return "one step of training, by category" if batch else "one step, by category"
    if batch and batch.stuck:
        return f"batch {batch.size:,} does not fit"
    if shown.paused:
        return "paused: space or . measures a step"
    if shown.trouble:
        return f"no step could be recorded: {shown.trouble}"
    return f"measuring batch {batch.size:,}…" if batch else "waiting for a step to measure…"
