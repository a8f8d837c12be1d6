"""Loss, speed and memory over the images trained on, or over a program's steps, on one axis."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeAlias

import msgspec
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.strip import Strip
from vramtop.protocol.lesson.messages import Evaluated, Noise
from vramtop.protocol.split import ALL_CATEGORIES
from vramtop.tui.state.history import OutOfMemoryMark, Point
from vramtop.tui.state.lesson.overfitting import overfits
from vramtop.tui.state.state import State
from vramtop.tui.terminal.palette import ink
from vramtop.tui.widgets.panel import Panel, between
from vramtop.tui.widgets.step.blocks import pieces
from vramtop.tui.words import noise, units

from .curves import per_cell, places
from .drawn_curve import DrawnCurve
from .memory_title import memory_title
from .scales import LEAST, Scale, counting, length, logarithmic, sizing

_GUTTER = 8  # for the ends of the scales at the left
_CHART = 4  # lines that a chart has at least: its name, and three of the curve
_WORDS = 46  # from this width on, words are not shortened
_NAMED = 14  # columns for what a chart shows, and its latest value
_CHANGE = "│"
_SHORT = "╎"  # out of memory in the charts; on the axis it is a cross
_CROSS = "×"
Cells: TypeAlias = list[tuple[str, Style]]
Layers: TypeAlias = tuple[tuple[str, Style], ...]  # the row of each curve, and its style


class Learning(msgspec.Struct, frozen=True):
    """What the charts show of the lesson besides its samples."""

    evaluated: Evaluated | None
    least_evaluated: Evaluated | None
    noise: Noise | None
    noise_known: Noise | None
    batch_size: int


class TrendFacts(msgspec.Struct, frozen=True):
    """What the charts are made from; without `learning` the points are at steps, not images."""

    points: tuple[Point, ...]
    out_of_memory: tuple[OutOfMemoryMark, ...]
    learning: Learning | None


class Curve(msgspec.Struct, frozen=True):
    """A line of a chart: its value at each point, None where there is none, and its style."""

    values: tuple[float | None, ...]
    style: Style


class Chart(msgspec.Struct, frozen=True):
    """Curves on one scale, the front one last; `mark` is the text for an end of the scale."""

    title: Text
    curves: tuple[Curve, ...]
    scale: Scale
    mark: Callable[[float], str]


class Trends(Panel[TrendFacts]):
    """Charts below one another, as many as there is room for: loss, speed, memory.

    Each shows every sample of the history. Vertical lines through all charts mark a change of the
    batch size and an out of memory. Without `braille`, curves are drawn in ASCII.
    """

    def __init__(self, *, braille: bool = True) -> None:
        super().__init__()
        self.braille = braille
        self._ground_before: Cells = []
        # The rows drawn now and those drawn before, by what is seen in them.
        self._strips: dict[tuple[Segment, Layers], Strip] = {}
        self._before = self._strips
        self._drawn_curves = defaultdict[tuple[int, int], DrawnCurve](DrawnCurve)

    def pick(self, state: State) -> TrendFacts:
        """The history, the last evaluation, and what is known of the gradient's noise."""
        points, marks, lesson = state.history.points, state.history.out_of_memory, state.lesson
        if lesson is None:
            return TrendFacts(points, marks, None)
        learning = Learning(
            lesson.evaluated,
            lesson.least_evaluated,
            lesson.noise,
            lesson.noise_known,
            lesson.settings.batch_size,
        )
        return TrendFacts(points, marks, learning)

    def draw(self, shown: TrendFacts, width: int, height: int) -> list[Strip]:
        """The charts, the axis that they share, and what the gradient's noise says."""
        points, room = shown.points, width - _GUTTER
        makers = [self._loss, self._speed, self._memory]
        if not shown.learning and all(point.loss is None for point in points):
            makers.remove(self._loss)
        axis = min(2, max(0, (height - 3) // 2))
        noise = _noise(shown.learning, width) if axis else ""
        charts = makers[: max(1, (height - 1) // _CHART)]
        lines = height - axis
        if noise and axis > 1 and (height - 1) % _CHART == 0:
            axis -= 1  # instead of the images, so that all charts still fit
        elif noise:
            lines -= 1
        picture, drawn = list[Strip](), points and room > 0
        columns = self._columns(shown, room) if drawn else []
        ground = self._ground(shown, room) if drawn else []
        self._before = self._strips if ground == self._ground_before else {}
        self._strips, self._ground_before = {}, ground
        for index, make in enumerate(charts):
            chart = make(shown, width)
            # Lines that cannot be shared out evenly go to the first charts.
            own = (lines - index - 1) // len(charts) + 1 if points else 1
            picture.append(self.strip(chart.title, width))
            if drawn and own > 1:
                picture += self._curves(index, chart, columns, ground, own - 1)
        words = self._axis(shown, room, axis) if drawn else []
        if noise:
            words.append(Text(noise, ink(self.palette.muted)))
        return [*picture, *(self.strip(line, width) for line in words)]

    def _axis(self, shown: TrendFacts, room: int, lines: int) -> list[Text]:
        """The axis in at most two lines: the batch sizes, and how many images or steps it is."""
        points, muted = shown.points, ink(self.palette.muted)
        axis = changes(points, room, shown.out_of_memory)
        sizes = Text(axis, muted)
        sizes.highlight_regex(f"{_CROSS}[0-9,]*", ink(self.palette.trouble))
        end = units.count(length(points[-1].at))
        unit = "images" if shown.learning else "steps"
        return [
            Text.assemble((_axis_name(points[0], axis), muted), sizes),
            Text(f"{unit:>{_GUTTER - 1}} 0{end:>{room - 1}}", muted),
        ][:lines]

    def _loss(self, shown: TrendFacts, width: int) -> Chart:
        """The loss of single steps on a logarithmic scale; in its title the test accuracy."""
        colors, learning = self.palette, shown.learning
        values = tuple(
            point.loss if point.loss is not None and math.isfinite(point.loss) else None
            for point in shown.points
        )
        tested = _tested(learning, shown.points, width - _NAMED) if learning else ""
        title = self._title("loss", units.loss(shown.points[-1].loss) if shown.points else "", 7)
        scale = ", log scale"
        if values and width >= title.cell_len + len(scale) + len(tested) + 1:
            title.append(scale, ink(colors.muted))
        title = between(title, Text(tested, ink(colors.text)), width)
        curve = Curve(values, ink(colors.accent))
        return Chart(title, (curve,), logarithmic(_known(curve)), _loss_mark)

    def _speed(self, shown: TrendFacts, width: int) -> Chart:
        """Samples a second of plain steps; for other programs, steps a second."""
        values = tuple(point.rate for point in shown.points)
        name, number = ("samples/s", units.rate) if shown.learning else ("steps/s", units.pace)
        title = self._title(name, number(values[-1]) if values else "", 9)
        title.truncate(width)
        curve = Curve(values, ink(self.palette.accent))
        return Chart(title, (curve,), counting(_known(curve)), lambda end: units.count(int(end)))

    def _memory(self, shown: TrendFacts, width: int) -> Chart:
        """A step's peak, what the allocator had reserved, and what was in *other*."""
        colors, points = self.palette, shown.points
        peak = Curve(tuple(point.peak for point in points), ink(colors.accent))
        reserved = Curve(tuple(point.reserved for point in points), ink(colors.muted))
        nobodys = ink(colors.fills[ALL_CATEGORIES.index("other")])
        other = Curve(tuple(point.other for point in points), nobodys)
        title = memory_title(
            points[-1] if points else None,
            lesson=shown.learning is not None,
            width=width,
            colors=colors,
        )
        curves = (reserved, other, peak)
        return Chart(title, curves, sizing(_known(*curves)), lambda end: units.short(int(end)))

    def _title(self, name: str, value: str, room: int) -> Text:
        """A chart's name and its latest value, in so much room."""
        title = Text(name, ink(self.palette.muted))
        return title.append(f" {value:>{room}}" if value else "", ink(self.palette.text))

    def _columns(self, shown: TrendFacts, room: int) -> list[slice]:
        """The points in each column, the same for all charts."""
        across, _ = per_cell(braille=self.braille)
        at = [point.at for point in shown.points]
        return places(at, length(at[-1]), room * across)

    def _ground(self, shown: TrendFacts, room: int) -> Cells:
        """The cells behind the curves, the same for each row of each chart."""
        faint, trouble = (
            self._paper + ink(color) for color in (self.palette.faint, self.palette.trouble)
        )
        ground = [(" ", faint)] * room
        for at in ticks(shown.points, room):
            ground[at] = (_CHANGE, faint)
        for at in crosses(shown.points, room, shown.out_of_memory):
            ground[at] = (_SHORT, trouble)
        return ground

    def _curves(
        self, index: int, chart: Chart, columns: Sequence[slice], ground: Cells, rows: int
    ) -> list[Strip]:
        """So many rows of a chart, with its scale's ends at the left."""
        layers = [
            (
                self._drawn_curves[index, number].rows(
                    curve.values, columns, chart.scale, rows, braille=self.braille
                ),
                self._paper + curve.style,
            )
            for number, curve in enumerate(chart.curves)
        ]
        ends = {0: chart.scale.high, rows - 1: chart.scale.low} if rows > 1 else {}
        return [
            self._row(
                chart.mark(ends[row]) if row in ends else "",
                tuple((drawn[row], style) for drawn, style in layers),
                ground,
            )
            for row in range(rows)
        ]

    def _row(self, mark: str, layers: Layers, ground: Cells) -> Strip:
        """A row of a chart: the layers' characters over one another and over the ground.

        Most rows are as they were drawn last.
        """
        gutter = Segment(f"{mark:>{_GUTTER - 1}} ", self._paper + ink(self.palette.muted))
        seen = gutter, layers
        strip = self._before.get(seen)
        if strip is None:
            row: Sequence[tuple[str, Style]] = ground
            for glyphs, style in layers:
                row = [
                    old if glyph == " " else (glyph, style)
                    for glyph, old in zip(glyphs, row, strict=True)
                ]
            strip = Strip([gutter, *(Segment(text, style) for text, style in pieces(row))])
        self._strips[seen] = strip
        return strip


def _known(*curves: Curve) -> list[float]:
    return [value for curve in curves for value in curve.values if value is not None]


def _loss_mark(end: float) -> str:
    return f"≤{end:g}" if end == LEAST else f"{end:g}"


def _noise(learning: Learning | None, width: int) -> str:
    """What the gradient's noise says."""
    if learning is None:
        return ""
    return noise.line(learning.noise, learning.noise_known, learning.batch_size, width)


def _tested(learning: Learning, points: Sequence[Point], room: int) -> str:
    """The test accuracy, and that the training overfits where it does, in as many words as fit."""
    seen, least = learning.evaluated, learning.least_evaluated
    if seen is None:
        return ""
    accuracy = f"test {seen.accuracy:.2%}"
    if least is None or not overfits(seen, least, points):
        return accuracy
    now, was = units.loss(seen.loss), units.loss(least.loss)
    forms = (
        f"{accuracy}, overfits: test loss {now}, was {was} at epoch {least.epoch:,}",
        f"{accuracy}, overfits: test loss {now}, was {was}",
        f"{accuracy}, overfits",
    )
    return next((text for text in forms if len(text) <= room), accuracy)


def _axis_name(first: Point, axis: str) -> str:
    """What stands left of the axis: its name, and the first size where the axis has no room."""
    if first.batch_size is None:
        return " " * _GUTTER
    size = f"{first.batch_size:,}"
    if axis.startswith(size):
        return f"{'batch':>{_GUTTER - 1}} "
    named = f"batch {size}"
    return f"{named if len(named) <= _GUTTER else size:>{_GUTTER}}"


def ticks(points: Sequence[Point], width: int) -> dict[int, int]:
    """The columns where the batch size changed, and the new size."""
    whole = length(points[-1].at)
    return {
        min(width - 1, new.at * width // whole): new.batch_size
        for old, new in pairwise(points)
        if old.batch_size != new.batch_size and new.batch_size is not None
    }


def crosses(
    points: Sequence[Point], width: int, marks: Sequence[OutOfMemoryMark]
) -> dict[int, int | None]:
    """The columns where memory ran out, and the size that did not fit."""
    whole = length(points[-1].at)
    return {min(width - 1, mark.at * width // whole): mark.batch_size for mark in marks}


def _size_name(size: int | None) -> str:
    return "" if size is None else f"{size:,}"


def changes(points: Sequence[Point], width: int, marks: Sequence[OutOfMemoryMark] = ()) -> str:
    """The axis: a tick where the batch size changed, with the new size to its right.

    A cross instead of a tick marks a size that ran out of memory. A size without room is left out.
    """
    short = crosses(points, width, marks)
    sizes = {**ticks(points, width), **short}
    sizes = {at: sizes[at] for at in sorted(sizes)}
    first = _size_name(points[0].batch_size)
    stops = [*sizes, width]
    axis = first.ljust(width) if len(first) <= stops[0] else " " * width
    for at, following in pairwise(stops):
        name = _size_name(sizes[at])
        name = name if at + len(name) < following else ""
        sign = _CROSS if at in short else _CHANGE
        axis = f"{axis[:at]}{sign}{name}{axis[at + 1 + len(name) :]}"
    return axis
