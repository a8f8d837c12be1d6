"""The table at the end of a watched program, at most 80 columns wide where names are not longer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec
from rich.table import Table
from rich.text import Text
from vramtop.protocol.observed.program import KindReport, ProgramReport
from vramtop.protocol.observed.record import Kind
from vramtop.protocol.observed.report import Held, Layer, Line, WhatIf
from vramtop.protocol.split import ALL_CATEGORIES
from vramtop.tui.terminal.output import Page
from vramtop.tui.terminal.palette import TERMINAL
from vramtop.tui.words import units, watching
from vramtop.tui.words.growth import grows, whose
from vramtop.tui.words.shapes import inputs
from vramtop.tui.words.wording import NAMES, RECOMPUTED

from . import shape_table
from .autopsy_table import block, headline
from .driver_table import driver_table
from .figures import figures, shortened

_SHORT = ("params", "grads", "optim", "data", "activ.", "temp.", "other")
_BAR = 12
_LAYERS = _LINES = _HELD = _CHANGES = 5
_LEAST_SAVED = 100  # one part in so many of the peak
_NAME, _KIND, _LINE, _CHANGE = 30, 18, 24, 48
_WORDS: dict[Kind, str] = {"training": "step", "inference": "call"}


def page(reports: Sequence[ProgramReport]) -> Page:
    """All processes in a line each, where there are several; then the one with the highest peak."""
    most = max(reports, key=_peak)
    parts: list[Text | Table] = []
    if len(reports) > 1:
        parts += [_overview(reports), Text()]
    return [*parts, *_of_one(most, several=len(reports) > 1), *_out_of_memory(reports, most)]


def _peak(report: ProgramReport) -> int:
    return max((kind.peak.bytes for kind in report.kinds), default=0)


def _out_of_memory(
    reports: Sequence[ProgramReport], shown: ProgramReport
) -> Iterable[Text | Table]:
    """That of the process that is shown, else of the first that had one; of others in a line."""
    found = [(each, each.out_of_memory) for each in reports if each.out_of_memory is not None]
    found.sort(key=lambda each: each[0] is not shown)
    for report, autopsy in found[:1]:
        yield Text()
        yield from block(report, autopsy)
    for report, autopsy in found[1:]:
        yield Text(headline(report, autopsy))


# ---- several processes ----------------------------------------------------------------------


def _overview(reports: Sequence[ProgramReport]) -> Table:
    ranked = any(report.rank is not None for report in reports)
    table = figures("rank" if ranked else "pid", "device", *_SHORT, "peak")
    for report in reports:
        who = str(report.rank if ranked and report.rank is not None else report.pid)
        if not report.kinds:
            table.add_row(who, report.device)
            continue
        peak = max((kind.peak for kind in report.kinds), key=lambda each: each.bytes)
        sizes = (*msgspec.structs.astuple(peak.split), peak.bytes)
        table.add_row(who, report.device, *map(units.short, sizes))
    return table


# ---- one process ----------------------------------------------------------------------------


def _of_one(report: ProgramReport, *, several: bool) -> Iterable[Text | Table]:
    yield Text("\n".join(_head(report, several=several)))
    for kind in report.kinds[:1]:
        yield Text()
        yield _split(kind)
        yield Text("\n".join(["", f"The peak was {_moment(kind)}.", *_device(kind)]))
    if report.driver is not None:
        yield Text()
        yield driver_table(report.driver)
    if report.layers:
        yield Text()
        yield _layers(report.layers)
        if again := sum(layer.recomputed for layer in report.layers):
            counted = _several(again, "module")
            yield Text(f"{RECOMPUTED} {counted} ran in backward again, as checkpointed ones do.")
    if any(each.line for each in report.lines):
        yield Text()
        yield _lines(report.lines)
    if report.other:
        yield Text()
        yield _other(report.other)
    if changes := [
        each for each in report.what_if if each.saved * _LEAST_SAVED >= report.kinds[0].peak.bytes
    ]:
        yield Text()
        yield _what_if(changes)
    yield from shape_table.parts(report)
    if report.growth is not None:
        yield Text("\n".join(["", *filter(None, (grows(report.growth), whose(report.growth)))]))
    if end := [*map(_in_short, report.kinds[1:])]:
        yield Text("\n".join(["", *end]))


def _head(report: ProgramReport, *, several: bool) -> Iterable[str]:
    rank = f"rank {report.rank} of {report.world_size}" if report.rank is not None else ""
    who = [report.program, rank, f"pid {report.pid}", report.device, f"torch {report.torch}"]
    highest = "Highest peak: " if several else ""
    yield highest + " · ".join(filter(None, who))
    for kind in report.kinds[:1]:
        word = _WORDS[kind.kind]
        took = watching.took(report.watching_seconds, report.seconds)
        yield f"{_counted(report, kind)}; {took}"
        if kind.steps is None:
            yield f"How many {word}s there were in all is not counted."
        yield f"Inputs of a {word}: {inputs(kind.inputs)}"


def _counted(report: ProgramReport, kind: KindReport) -> str:
    """How many steps there were, or only how many were watched where nobody counts them."""
    each, word = report.step_seconds, _WORDS[kind.kind]
    if kind.steps is None:
        last = units.seconds(kind.seconds)
        return f"{_several(report.watched, word)} watched, the last of {last}"
    of = f" of {units.seconds(each)}" if each else ""
    return f"{_several(kind.steps, word)}{of}, {report.watched:,} watched"


def _several(count: int, name: str) -> str:
    return f"{count:,} {name}{'' if count == 1 else 's'}"


def _split(kind: KindReport) -> Table:
    """The categories at the peak, and the most that each has at any moment of the step."""
    peak, high = kind.peak.split, kind.high_water
    table = figures("bytes", "at the peak", "", "")
    table.add_column("", no_wrap=True, min_width=_BAR)
    table.add_column("high water", justify="right", no_wrap=True)
    for color, category in zip(TERMINAL.fills, ALL_CATEGORIES, strict=True):
        size = peak.of(category)
        bar = Text(_bar(size, kind.peak.bytes), style=color)
        share = units.share(size, kind.peak.bytes)
        row = (f"{size:,}", units.size(size), share, bar, f"{high.of(category):,}")
        table.add_row(NAMES[category], *row)
    total = (f"{kind.peak.bytes:,}", units.size(kind.peak.bytes))
    table.add_row("Total", *total, style="bold")
    return table


def _bar(size: int, whole: int) -> str:
    """A bar in eighths of a cell."""
    full, rest = divmod(round(8 * _BAR * size / whole) if whole else 0, 8)
    return "█" * full + " ▏▎▍▌▋▊▉"[rest].strip()


def _moment(kind: KindReport) -> str:
    """Where the peak was: `in backward, at train.py:42, in transformer.h.3`."""
    peak = kind.peak
    line = f", at {peak.line}" if peak.line else ""
    module = f", in {peak.module}" if peak.module else ""
    return f"in {peak.phase}{line}{module}"


def _device(kind: KindReport) -> Iterable[str]:
    """What the device's allocator had besides, or what is not seen."""
    memory = kind.allocator
    if memory is None:
        yield "On a CPU: what operators allocate; nothing of their kernels' inner buffers."
        return
    requested, workspace = units.size(memory.requested_peak), units.size(memory.workspace)
    reserved = "" if memory.reserved is None else f", {units.size(memory.reserved)} reserved"
    yield f"Allocator: {requested} requested at most ({workspace} workspace){reserved}."
    if kind.unattributed == 0:
        yield "At every boundary these are all of its bytes: 0 B unattributed."
    elif kind.unattributed is not None:
        yield f"At a boundary {kind.unattributed:,} B of its bytes are in no category."


def _layers(layers: Sequence[Layer]) -> Table:
    table = figures("largest layers", "params", "grads", "optim", "activ.", described="kind")
    for layer in sorted(layers, key=lambda each: -sum(_sizes(each)))[:_LAYERS]:
        name = shortened(layer.name or layer.kind, _NAME)
        kind = units.cut(layer.kind, _KIND)
        if layer.recomputed:
            kind = f"{units.cut(layer.kind, _KIND - 2)} {RECOMPUTED}"
        table.add_row(name, kind, *map(units.short, _sizes(layer)))
    return table


def _sizes(layer: Layer) -> tuple[int, int, int, int]:
    return layer.parameters, layer.gradients, layer.optimizer_state, layer.activations


def _lines(lines: Sequence[Line]) -> Table:
    """The lines of the program that have allocated most, at each category's high water."""
    table = figures("largest lines", *_SHORT)
    for each in [each for each in lines if each.line][:_LINES]:
        sizes = msgspec.structs.astuple(each.split)
        table.add_row(shortened(each.line, _LINE), *map(_short, sizes))
    return table


def _short(size: int) -> str:
    return units.short(size) if size else units.NOTHING


def _other(other: Sequence[Held]) -> Table:
    """The groups of blocks in *other*."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("other", justify="right", no_wrap=True)
    table.add_column("blocks", justify="right", no_wrap=True)
    table.add_column("what", no_wrap=True)
    alike: defaultdict[str, list[Held]] = defaultdict(list)
    for held in other:
        line = f", allocated at {shortened(held.line, _NAME)}" if held.line else ""
        alike[held.what + line].append(held)
    sums = sorted((_sum(each), what) for what, each in alike.items())[::-1]
    left = sums[_HELD:] if len(sums) > _HELD + 1 else []
    for (size, count), what in sums[: len(sums) - len(left)]:
        table.add_row(units.size(size), f"{count:,}", what)
    if left:
        size, count = (sum(each) for each in zip(*(held for held, _ in left), strict=True))
        table.add_row(units.size(size), f"{count:,}", f"allocated at {len(left):,} other places")
    return table


def _sum(alike: Sequence[Held]) -> tuple[int, int]:
    """The bytes and the number of these blocks."""
    return sum(each.bytes for each in alike), sum(each.count for each in alike)


def _what_if(changes: Sequence[WhatIf]) -> Table:
    """What the step would have held with a change, each with the line that makes it."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("peak", justify="right", no_wrap=True)
    table.add_column("saves", justify="right", no_wrap=True)
    table.add_column("what if (predicted, not measured)", no_wrap=True)
    for each in changes[:_CHANGES]:
        bound = "" if each.bound == "exact" else "at most "
        sizes = (bound + units.size(each.peak), units.size(each.saved))
        table.add_row(*sizes, units.cut(each.what, _CHANGE))
        table.add_row("", "", Text(each.code, style="dim"))
    return table


def _in_short(kind: KindReport) -> str:
    """Calls without training, of a program that trains, in a line."""
    return f"A call in inference, of {inputs(kind.inputs)}: {kind.peak.bytes:,} B {_moment(kind)}."
