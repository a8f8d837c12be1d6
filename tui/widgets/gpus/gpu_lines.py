"""The lines of one GPU, in columns that are the same for all GPUs."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.style import Style
from rich.text import Text
from vramtop.protocol.gpus import Gpu
from vramtop.tui.gpus.condition import Sign, hot, signs
from vramtop.tui.gpus.holders import HolderBytes
from vramtop.tui.terminal.palette import Palette, ink
from vramtop.tui.words import units

from .holder_bar import holder_bar, holder_name

# From this width on, clocks, performance state and fan stand in columns of their own.
_WIDE = 104
_MARKS = 5  # the cursor, the trainer's mark, an index of two digits, a space
_SHORTEST, _LONGEST = 10, 30  # names
_INDENT = 6
_LOAD, _HEAT = 5, 6
_LABEL = Style(reverse=True)
# The last seconds of the load, where the bar keeps so many columns.
_PAST, _WIDE_PAST, _LEAST_BAR = 8, 12, 12
_LEVELS = "▁▂▃▄▅▆▇█"


class GpuEntry(msgspec.Struct, frozen=True):
    """A GPU, or an instance of one.

    `parts` are the holders of its memory, as far as they are known. `in_use` and `total` are bytes;
    `by` names their source, NVML or CUDA. `ours` tells that the training runs there. `past` is the
    load of the last seconds in percent, None where it is not known.
    """

    gpu: Gpu
    in_use: int | None = None
    total: int | None = None
    by: str = "NVML"
    parts: tuple[HolderBytes, ...] = ()
    ours: bool = False
    instances: tuple[GpuEntry, ...] = ()
    past: tuple[int | None, ...] = ()


class ChosenLine(msgspec.Struct, frozen=True):
    """Which line of a GPU is chosen: its own, or where `part` is given, that of this instance.

    `cursor` tells that the keys move in this list, so that the line shows a cursor.
    """

    part: int | None
    cursor: bool

    def of(self, part: int | None) -> ChosenLine | None:
        """This, where that line is the chosen one; else None."""
        return self if part == self.part else None


class GpuColumns:
    """How wide each column is, for these GPUs' names in `width` columns."""

    def __init__(self, entries: Sequence[GpuEntry], width: int) -> None:
        self.width = width
        self.wide, self.past = width >= _WIDE, 0
        fixed = _MARKS + len(self.sensors(("",) * 7)) + len(self.memory("", "")) + 2
        longest = max((len(_name(entry.gpu)) for entry in entries), default=0)
        self.name = max(_SHORTEST, min(longest, (width - fixed) // 2, _LONGEST))
        self.bar = max(0, width - fixed - self.name)
        past = 1 + (_WIDE_PAST if self.wide else _PAST)
        if self.bar - past >= _LEAST_BAR:
            self.past, self.bar = past, self.bar - past

    def sensors(self, figures: Sequence[str], past: str = "") -> str:
        """Utilization, temperature and power; where there is room, also the others.

        The `past` of the utilization stands beside it.
        """
        load, heat, power, clocks, state, fan, errors = figures
        line = f"{load:>{_LOAD}}{past:>{self.past}}{heat:>{_HEAT}}{power:>11}"
        return f"{line}{clocks:>13}{state:>7}{fan:>6}{errors:>5}" if self.wide else line

    def memory(self, used: str, total: str) -> str:
        """Bytes in use of the total."""
        text = used if used == total == units.MISSING else f"{used}/{total}"
        return f"{text:>13}"

    def head(self) -> str:
        """The line of titles."""
        sensors = self.sensors(("util", "temp", "power", "sm/mem MHz", "state", "fan", "ECC"))
        head = f"{'GPU':>{_MARKS - 1}} {'name':<{self.name}}{sensors}"
        return units.cut(f"{head}{self.memory('in use', 'total')}  who holds it", self.width)


def lines(
    entry: GpuEntry,
    columns: GpuColumns,
    colors: Palette,
    *,
    detailed: bool,
    chosen: ChosenLine | None,
) -> list[Text]:
    """The GPU's own line, a line of details, and a line for each instance.

    Without `detailed`, the details stand there only where something is wrong.
    """
    own = chosen and chosen.of(None)
    gpu = entry.gpu
    line = _marks(entry, colors, own)
    # Each change of style takes the terminal 40 bytes, and loads change each second.
    line.append(f"{gpu.index:>2} ", ink(colors.text))
    name = f"{units.cut(_name(gpu), columns.name):<{columns.name}}"
    line.append(name, ink(colors.text, bold=own is not None))
    if gpu.trouble is not None:
        rows = [line.append(f"  {gpu.trouble}", ink(colors.trouble))]
    else:
        start = line.cell_len + _LOAD
        past = _past(entry.past, columns.past)
        line.append(columns.sensors(_sensors(gpu), past), ink(colors.text))
        line.stylize(ink(colors.muted), start, start + columns.past)
        start += columns.past
        if heat := hot(gpu):
            text = line.plain[start : start + _HEAT]
            start += len(text) - len(text.lstrip())
            line.stylize(_style(heat, colors), start, start + len(text.lstrip()))
        rows = [line.append_text(_memory(entry, columns, colors))]
    if _has_details(gpu, detailed=detailed):
        rows.append(_details(entry, columns, colors, complete=detailed))
    return rows + [
        _instance(part, columns, colors, chosen and chosen.of(slot))
        for slot, part in enumerate(entry.instances)
    ]


def lines_of(gpu: Gpu, *, detailed: bool) -> int:
    """How many lines `lines` gives for this GPU, in any width."""
    return 1 + _has_details(gpu, detailed=detailed) + len(gpu.instances)


def _has_details(gpu: Gpu, *, detailed: bool) -> bool:
    return gpu.trouble is None and (detailed or bool(signs(gpu)))


def _style(sign: Sign, colors: Palette) -> Style:
    """An error stands out like a label, also where there are no colours."""
    if sign.level == "plain":
        return ink(colors.muted)
    if sign.level == "warning":
        return ink(colors.trouble)
    return ink(colors.trouble, bold=True) + _LABEL


def _name(gpu: Gpu) -> str:
    return units.MISSING if gpu.name is None else gpu.name.removeprefix("NVIDIA ")


def _sensors(gpu: Gpu) -> tuple[str, ...]:
    return (
        _figure(gpu.gpu_utilization, "%"),
        ("!" if hot(gpu) else "") + _figure(gpu.temperature, "°C"),
        _pair(gpu.power, gpu.power_cap, " W"),
        _pair(gpu.sm_clock, gpu.memory_clock, ""),
        units.MISSING if gpu.performance_state is None else f"P{gpu.performance_state}",
        _figure(gpu.fan, "%"),
        units.MISSING if gpu.ecc_errors is None else units.count(gpu.ecc_errors),
    )


def _past(loads: Sequence[int | None], room: int) -> str:
    """The last loads, each as high as it was."""
    last = loads[len(loads) - max(0, room - 1) :] if len(loads) >= room else loads
    return "".join(
        " " if load is None else _LEVELS[min(load * len(_LEVELS) // 100, len(_LEVELS) - 1)]
        for load in last
    )


def _figure(value: float | None, unit: str) -> str:
    return units.MISSING if value is None else f"{value:.0f}{unit}"


def _pair(value: float | None, other: float | None, unit: str) -> str:
    if value is None and other is None:
        return units.MISSING
    return f"{units.number(value)}/{units.number(other)}{unit}"


def _marks(entry: GpuEntry, colors: Palette, chosen: ChosenLine | None) -> Text:
    accent = ink(colors.accent, bold=True)
    marks = ("›" if chosen and chosen.cursor else " ") + ("▸" if entry.ours else " ")
    return Text().append(marks, accent if marks.strip() else ink(colors.text))


def _memory(entry: GpuEntry, columns: GpuColumns, colors: Palette) -> Text:
    used, total = (
        units.MISSING if size is None else units.short(size) for size in (entry.in_use, entry.total)
    )
    memory = Text(columns.memory(used, total) + "  ", ink(colors.text))
    if entry.parts:
        return memory.append_text(holder_bar(entry.parts, columns.bar, colors))
    return memory.append(colors.empty * columns.bar, ink(colors.faint, colors.track))


def _details(entry: GpuEntry, columns: GpuColumns, colors: Palette, *, complete: bool) -> Text:
    """What is wrong, what has no column, and who holds the memory, cut at the line's end."""
    parts = [Text(sign.full, _style(sign, colors)) for sign in signs(entry.gpu)]
    if entry.by != "NVML":
        parts.append(Text(f"memory by {entry.by}", ink(colors.muted)))
    if complete and not columns.wide:
        *_, clocks, state, fan, errors = _sensors(entry.gpu)
        text = f"{clocks} MHz · {state} · fan {fan} · ECC {errors}"
        parts.append(Text(text, ink(colors.muted)))
    if complete:
        bus = _figure(entry.gpu.memory_utilization, "%")
        parts.append(Text(f"memory bus {bus}", ink(colors.muted)))
        parts += [holder_name(part, colors) for part in entry.parts]
        parts += [] if entry.parts else [Text(_no_parts(entry.gpu), ink(colors.muted))]
    line = Text("  ").join([Text(" " * (_MARKS - 2)), *parts])
    line.truncate(columns.width, overflow="ellipsis")
    return line


def _no_parts(gpu: Gpu) -> str:
    reasons = (gpu.refused.get(field) for field in ("memory", "reserved", "total", "free"))
    reason = next((reason for reason in reasons if reason), "")
    return f"memory not available: {reason}" if reason else "memory not available"


def _instance(
    part: GpuEntry, columns: GpuColumns, colors: Palette, chosen: ChosenLine | None
) -> Text:
    """An instance's line: name and memory; the sensors belong to the whole GPU."""
    line = _marks(part, colors, chosen)
    profile = _name(part.gpu).rpartition("MIG ")[2]
    room = columns.name + _MARKS - _INDENT
    name = f"{part.gpu.index} {profile}"
    line.append(f"{'└ ':>{_INDENT - 2}}", ink(colors.muted))
    line.append(f"{units.cut(name, room):<{room}}", ink(colors.text, bold=chosen is not None))
    if part.gpu.trouble is not None:
        return line.append(f"  {part.gpu.trouble}", ink(colors.trouble))
    line.append(" " * len(columns.sensors(("",) * 7)))
    return line.append_text(_memory(part, columns, colors))
