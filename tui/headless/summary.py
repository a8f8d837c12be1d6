"""The table at the end of a headless run: the layers, and each category beside the formula."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.table import Table
from rich.text import Text
from vramtop.protocol.lesson.formula import Formula
from vramtop.protocol.lesson.messages import Configured, LessonOutOfMemory, WouldFit
from vramtop.protocol.messages import Layer
from vramtop.protocol.split import CATEGORIES, PHASES, AllocatorMemory, Anatomy, Split
from vramtop.tui.terminal.output import Page
from vramtop.tui.words import noise, out_of_memory, units, wording
from vramtop.tui.words.wording import NAMES

from .run import Run


def summaries(run: Run) -> tuple[Page, Page]:
    """The exact bytes of a run with at least one anatomy: for a wide and for a narrow terminal."""
    assert run.configured is not None
    assert run.measured is not None
    anatomy, formula = run.measured.anatomy, run.configured.formula
    settings = run.configured.settings
    batch = f"batch {wording.batch(settings)} · {heading(run.configured)}"
    top = (
        Text(f"{run.configured.data.description}\n{batch}\n"),
        _layers(run.configured.layers, settings.batch_size),
        Text(),
    )
    end = Text("\n" + "\n".join(_notes(run)))
    moments = {phase: anatomy.boundaries.get(phase, Split()) for phase in PHASES}
    after = _bytes("bytes after", {name: _column(split) for name, split in moments.items()})
    beside = _beside(anatomy, formula)
    both = {name: _column(split) for name, split in moments.items()} | beside
    return (
        (*top, _bytes("bytes after", both), end),
        (*top, after, Text(), _bytes("bytes", beside), end),
    )


def heading(configured: Configured, rate: str = "") -> str:
    """The settings except the batch size: `adam · lr 0.001 · hidden 128 · cpu`.

    `rate` stands for several learning rates.
    """
    settings = configured.settings
    return (
        f"{settings.optimizer} · lr {rate or units.learning_rate(settings.rate)} · "
        f"hidden {settings.hidden:,} · {configured.device.name}{wording.added(settings)}"
    )


def out_of_memory_line(message: LessonOutOfMemory, answer: WouldFit | None = None) -> str:
    """One line on what did not fit, and on the batch size that would have fitted."""
    where = f" in {message.phase}" if message.phase else ""
    times = f" ×{message.accumulation}" if message.accumulation > 1 else ""
    batch = f"batch {message.batch_size:,}{times}"
    if message.needed is None or message.limit is None:
        line = f"{batch} ran out of memory{where}: {message.detail}"
    else:
        line = f"{batch} is out of memory{where}: "
        line += units.at_least(message.needed, message.limit)
        line += f"; {out_of_memory.wanted(message)}" if message.wanted is not None else ""
    fits = out_of_memory.prediction(answer)
    return f"{line}; {fits}" if fits else line


def _layers(layers: Sequence[Layer], batch_size: int) -> Table:
    """The layers and their sums; the shapes are those of a whole batch."""
    table = _table("layer", "output shape", "parameters", "bytes")
    for layer in layers:
        shape = " × ".join(f"{side:,}" for side in (batch_size, *layer.output_shape))
        table.add_row(layer.name, shape, f"{layer.parameters:,}", f"{layer.bytes:,}")
    parameters = sum(layer.parameters for layer in layers)
    total = sum(layer.bytes for layer in layers)
    table.add_row("Total", "", f"{parameters:,}", f"{total:,}", style="bold")
    return table


def _column(split: Split) -> list[str]:
    """A split's bytes, and their sum."""
    return [f"{value:,}" for value in (*msgspec.structs.astuple(split), split.total)]


def _beside(anatomy: Anatomy, formula: Formula) -> dict[str, list[str]]:
    """The high-water marks beside the formula, which has no temporaries."""
    lessons = [getattr(formula, category, None) for category in CATEGORIES]
    highs = msgspec.structs.astuple(anatomy.high_water)
    pairs = [*zip(lessons, highs, strict=True), (formula.total, anatomy.high_water.total)]
    return {
        "high water": _column(anatomy.high_water),
        "formula": [units.NOTHING if lesson is None else f"{lesson:,}" for lesson, _ in pairs],
        "difference": [
            units.NOTHING if lesson is None else f"{high - lesson:+,}" for lesson, high in pairs
        ],
    }


def _bytes(corner: str, columns: dict[str, list[str]]) -> Table:
    """One row for each category, then the total."""
    table = _table(corner, *columns)
    *rows, total = zip(*columns.values(), strict=True)
    for category, cells in zip(CATEGORIES, rows, strict=True):
        table.add_row(NAMES[category], *cells)
    table.add_row("Total", *total, style="bold")
    return table


def _table(corner: str, *columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(corner, no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _notes(run: Run) -> list[str]:
    """The lines below the tables."""
    assert run.measured is not None
    peak = run.measured.anatomy.peak
    lines = [f"Peak {peak.bytes:,} B in {peak.phase} ({peak.operator})"]
    if not run.measured.settled:
        lines.append("Only the first step was seen: the optimizer's state appears at its end.")
    if run.measured.allocator is not None:
        lines.append(_allocator_line(run.measured.allocator))
    if run.sample is not None:
        lines.append(_progress_line(run))
    if run.evaluated is not None:
        seen = run.evaluated
        line = f"Test data after epoch {seen.epoch:,}: accuracy {seen.accuracy:.1%}, loss "
        line += units.loss(seen.loss)
        if seen.peak is not None:
            line += f"; its own peak {seen.peak.total:,} B"
        lines.append(line)
    if run.noise is not None:
        lines.append(noise.sentence(run.noise))
    return lines


def _allocator_line(memory: AllocatorMemory) -> str:
    figures = {
        "workspace": memory.workspace,
        "rounding": memory.rounding,
        "cache": memory.cache,
        "reserved": memory.reserved,
        "allocated at most": memory.allocated_peak,
        "requested at most": memory.requested_peak,
    }
    known = {name: value for name, value in figures.items() if value is not None}
    return "Allocator: " + ", ".join(f"{name} {value:,} B" for name, value in known.items())


def _progress_line(run: Run) -> str:
    assert run.sample is not None
    line = f"Step {run.sample.step:,}, epoch {run.sample.epoch:,}"
    if run.sample.loss is not None:
        line += f", loss {units.loss(run.sample.loss)}"
    if run.median_step_seconds is not None and run.samples_per_second is not None:
        line += (
            f", {units.seconds(run.median_step_seconds)} a plain step, "
            f"{run.samples_per_second:,.0f} images/s"
        )
    return line
