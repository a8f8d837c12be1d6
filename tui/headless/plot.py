"""A sweep as a picture: the memory of each batch size, beside what it learns."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vramtop.protocol.lesson.settings import SettingError
from vramtop.protocol.split import CATEGORIES
from vramtop.tui.terminal.palette import LIGHT, mixed
from vramtop.tui.words import units
from vramtop.tui.words.wording import NAMES

from .rows import OutOfMemoryRow, Row, SweepRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ENDINGS = (".svg", ".png")
_INCHES = (12.0, 5.6)
_DOTS = 150  # an inch
_BAR = 0.62

# By batch size: the loss curve of each of its runs, as in `LossCurve.points`.
Curves = Mapping[int, Sequence[Sequence[tuple[int, float]]]]


def check(file: str) -> None:
    """Raise `SettingError` if no picture can be written there; called before anything is run."""
    path = Path(file)
    if path.suffix.lower() not in _ENDINGS:
        raise SettingError(f"a plot ends in {' or '.join(_ENDINGS)}, not {file!r}")
    try:
        new = not path.exists()
        with path.open("ab"):
            pass  # permissions alone do not say whether it can be opened
        if new:
            path.unlink()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SettingError(f"the plot cannot be written to {file}: {reason}") from None
    if find_spec("matplotlib") is None:
        raise SettingError("--plot needs matplotlib: pip install 'vramtop-lab[plot]'")


def write(file: str, title: str, rows: Sequence[SweepRow], curves: Curves, notes: str) -> None:
    """Draw the rows and the loss curves into a file; raises `OSError`.

    The picture is drawn in memory first. If that fails, the file is not touched.
    """
    from matplotlib import rc_context

    form = Path(file).suffix.lower().removeprefix(".")
    drawn = io.BytesIO()
    with rc_context(_style()):
        figure = _figure(title, rows, curves, notes)
        # Without a date, equal pictures are equal files.
        metadata = {"Date": None} if form == "svg" else {}
        figure.savefig(drawn, format=form, dpi=_DOTS, metadata=metadata)
    Path(file).write_bytes(drawn.getvalue())


def _figure(title: str, rows: Sequence[SweepRow], curves: Curves, notes: str) -> Figure:
    from matplotlib.figure import Figure

    # A figure made by itself needs no window system and no global state.
    figure = Figure(figsize=_INCHES, layout="constrained")
    figure.suptitle(title.replace("\n", " · "), x=0.01, ha="left", fontsize=11)
    figure.supxlabel(notes, x=0.01, ha="left", fontsize=8, color=LIGHT.muted)
    grid = figure.add_gridspec(2, 2, width_ratios=(1.15, 1))
    rows = sorted(rows, key=lambda row: row.batch_size)
    _memory(figure.add_subplot(grid[:, 0]), rows)
    ran = [row for row in rows if isinstance(row, Row)]
    _loss(figure.add_subplot(grid[0, 1]), ran, curves)
    _accuracy(figure.add_subplot(grid[1, 1]), ran)
    return figure


def _style() -> Any:  # noqa: ANN401 - its keys have a type only where matplotlib is
    return {
        "svg.fonttype": "none",  # text stays text
        "svg.hashsalt": "vramtop",
        "font.size": 9,
        "axes.titlesize": 10,
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": LIGHT.muted,
        "axes.labelcolor": LIGHT.muted,
        "axes.facecolor": LIGHT.background,
        "figure.facecolor": LIGHT.background,
        "text.color": LIGHT.text,
        "xtick.color": LIGHT.muted,
        "ytick.color": LIGHT.muted,
        "grid.color": LIGHT.track,
        "axes.axisbelow": True,
        "legend.frameon": False,
        "legend.fontsize": 8,
    }


def _memory(axes: Axes, rows: Sequence[SweepRow]) -> None:
    """High-water marks stacked by category; over them the formula and the peak."""
    ran = {place: row for place, row in enumerate(rows) if isinstance(row, Row)}
    short = {place: row for place, row in enumerate(rows) if isinstance(row, OutOfMemoryRow)}
    bottom = dict.fromkeys(ran, 0)
    for color, category in zip(LIGHT.fills, CATEGORIES, strict=True):
        heights = {place: getattr(row.high_water, category) for place, row in ran.items()}
        axes.bar(
            list(ran),
            list(heights.values()),
            width=_BAR,
            bottom=list(bottom.values()),
            color=color,
            label=NAMES[category],
        )
        bottom = {place: below + heights[place] for place, below in bottom.items()}
    totals = [row.formula.total for row in ran.values()]
    axes.plot(list(ran), totals, color=LIGHT.text, lw=1, ls="--", marker=".", label="formula")
    for place, row in ran.items():
        label = None if place != min(ran) else "peak of all at once"
        ends = (place - _BAR / 2 - 0.06, place + _BAR / 2 + 0.06)
        axes.plot(ends, [row.peak.bytes] * 2, color=LIGHT.trouble, lw=2, label=label)
    _out_of_memory(axes, short)
    axes.set_title("memory of a step: each category's high water")
    _sizes(axes, rows)
    _bytes(axes)
    handles, labels = axes.get_legend_handles_labels()
    if labels:
        axes.legend(handles[::-1], labels[::-1], loc="upper left")


def _out_of_memory(axes: Axes, short: Mapping[int, OutOfMemoryRow]) -> None:
    """A bar for each size that did not fit, as high as the bytes it needed; and the budget."""
    for place, row in short.items():
        needed = row.needed or row.budget or axes.get_ylim()[1] / 2
        color = LIGHT.trouble
        axes.bar([place], [needed], width=_BAR, color="none", edgecolor=color, hatch="////", lw=1)
        label = "out of memory" if row.needed is None else "out of memory\nat least"
        axes.annotate(label, (place, needed), ha="center", va="bottom", color=LIGHT.trouble)
    budgets = {row.budget for row in short.values() if row.budget is not None}
    for budget in budgets:
        axes.axhline(budget, color=LIGHT.trouble, lw=0.8, ls=":", label="budget")
    axes.margins(y=0.12)


def _bytes(axes: Axes) -> None:
    """Ticks at whole binary units."""
    highest = axes.get_ylim()[1]
    gap = 2.0 ** max(0, math.ceil(math.log2(highest / 7)))
    axes.set_yticks([gap * tick for tick in range(int(highest / gap) + 1)])
    axes.yaxis.set_major_formatter(lambda value, _: units.typed_size(int(value)))
    axes.set_ylim(0, highest)
    axes.grid(axis="y")


def _sizes(axes: Axes, rows: Sequence[SweepRow]) -> None:
    axes.set_xticks(range(len(rows)), [f"{row.batch_size:,}" for row in rows])
    axes.set_xlabel("batch size")


def _loss(axes: Axes, rows: Sequence[Row], curves: Curves) -> None:
    """The training loss over the images, one line for each run."""
    for row, color in zip(rows, _ramp(len(rows)), strict=True):
        for number, curve in enumerate(curves[row.batch_size]):
            images, losses = zip(*curve, strict=True)
            label = f"{row.batch_size:,}" if number == 0 else None
            axes.plot(images, losses, color=color, lw=1.3, label=label)
    axes.set_title("training loss over images")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_major_formatter(lambda value, _: units.count(int(value)))
    axes.grid(axis="y", which="both")
    if rows:
        axes.legend(title="batch", ncols=2 if len(rows) > 4 else 1)


def _accuracy(axes: Axes, rows: Sequence[Row]) -> None:
    """The accuracy on the test data at the end of each size, with the range of its repeats."""
    for place, (row, color) in enumerate(zip(rows, _ramp(len(rows)), strict=True)):
        if row.test_accuracy is None:
            continue
        spread = row.spread.test_accuracy if row.spread else None
        if spread is not None:
            axes.plot([place] * 2, [spread.low, spread.high], color=color, lw=5, alpha=0.4)
        axes.plot([place], [row.test_accuracy], color=color, marker="o")
        label = f"{row.test_accuracy:.1%}"
        axes.annotate(label, (place, row.test_accuracy), (7, 0), textcoords="offset points")
    axes.set_title("accuracy on the test data, at the end")
    axes.margins(x=0.12, y=0.25)
    _sizes(axes, rows)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.grid(axis="y")


def _ramp(count: int) -> list[str]:
    """So many colours, from pale to full, in the order of the sizes."""
    return [
        mixed(LIGHT.accent, LIGHT.background, 0.65 * (1 - place / max(1, count - 1)))
        for place in range(count)
    ]
