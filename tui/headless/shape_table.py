"""What each shape of a watched program's steps took, what evaluations left, and what still fits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.table import Table
from rich.text import Text
from vramtop.protocol.observed.program import ProgramReport
from vramtop.protocol.observed.shapes import NewPeak, Shape, Shapes
from vramtop.tui.words import shapes, units

from .figures import figures, shortened

_ROWS = 5
_PEAKS = 3
_INPUTS = 25


def parts(report: ProgramReport) -> Iterable[Text | Table]:
    """A table where there are two shapes or more, and lines of what else is known."""
    seen = report.shapes
    if len(seen.seen) > 1:
        yield Text()
        yield _table(seen.seen)
        yield Text("\n".join([*_left_out(seen), *_peaks(seen.peaks)]))
    lines = []
    if seen.left_behind is not None:
        lines.append(shapes.left_behind(seen.left_behind))
    if report.room is not None:
        room = shapes.room(report.room)
        lines += [f"{room[0].upper()}{room[1:]}:", f"{shapes.growth(report.room)}."]
    if lines:
        yield Text("\n".join(["", *lines]))


def _table(seen: Sequence[Shape]) -> Table:
    table = figures(
        "largest shapes", "watched", "peak", "at step", "step time", described="kind"
    )  # fmt: skip
    for each in seen[:_ROWS]:
        step = units.NOTHING if each.peak_step is None else f"{each.peak_step:,}"
        figures_ = (f"{each.watched:,}", units.size(each.peak), step, units.seconds(each.seconds))
        table.add_row(shortened(shapes.inputs(each.inputs), _INPUTS), each.kind, *figures_)
    return table


def _left_out(seen: Shapes) -> Iterable[str]:
    """How many steps are in no row."""
    steps = sum(row.watched for row in seen.seen[_ROWS:]) + seen.unlisted
    if steps:
        yield f"… {steps:,} more were watched, of other shapes"


def _peaks(peaks: Sequence[NewPeak]) -> Iterable[str]:
    """The latest new peaks, where another shape made each."""
    for peak in peaks[-_PEAKS:] if len(peaks) > 1 else ():
        yield shapes.new_peak(peak)
