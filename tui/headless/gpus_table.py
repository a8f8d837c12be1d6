"""The GPUs and their processes as tables of plain text."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from vramtop.protocol.gpus import Gpu, GpuProcess, GpusReport, Host
from vramtop.tui.gpus.condition import signs
from vramtop.tui.state.processes import ProcessRow, ProcessView, process_rows
from vramtop.tui.words import units
from vramtop.tui.words.units import MISSING

from .columns import Column, fitting, lines

_LONG = 104  # characters in a line from which on sizes and reasons are written out
_LEAST_NOTE, _LEAST_COMMAND = 24, 20
_NAME, _SHORT_NAME, _USER = 24, 16, 12


def text(report: GpusReport, at: float, room: int | None) -> list[str]:
    """The lines to print, made `at` seconds since 1970 for so many characters a line.

    Without a limit (None) nothing is left out or cut.
    """
    head = [f"driver {report.driver_version or MISSING}", f"CUDA {report.cuda_version or MISSING}"]
    said = [time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at)), *head]
    rows = process_rows(report, ProcessView())
    listed = [(row.where, row.process) for row in rows if row.process is not None]
    found = [
        " · ".join(said),
        *([] if report.host is None else _of_host(report.host, room)),
        "",
        *_of_gpus(report.gpus, room),
        "",
        *(_of_processes(listed, room) if listed else ()),
        *(_refused(row) for row in rows if row.process is None),
    ]
    if not rows:
        found.append("no process holds memory on a GPU")
    return [line if room is None else units.cut(line, room) for line in found]


def _of_host(host: Host, room: int | None) -> list[str]:
    """The machine's figures, as many as there is room for.

    One look tells nothing of how busy its cores are now; the load does.
    """
    parts = []
    if host.load is not None:
        cores = f" on {host.cores} cores" if host.cores else ""
        parts.append("load " + " ".join(f"{value:.2f}" for value in host.load) + cores)
    if host.total is not None and host.used is not None:
        parts.append(f"memory {units.size(host.used)} of {units.size(host.total)}")
    if host.swap_total and host.swap_used is not None:
        parts.append(f"swap {units.size(host.swap_used)} of {units.size(host.swap_total)}")
    while room is not None and len(" · ".join(parts)) > room and len(parts) > 1:
        parts.pop()
    return [" · ".join(parts)]


def _of_gpus(gpus: Sequence[Gpu], room: int | None) -> list[str]:
    entries = [(str(gpu.index), gpu, True) for gpu in gpus]
    for at in reversed(range(len(gpus))):
        gpu = gpus[at]
        parts = [(f"{gpu.index}.{part.index}", part, False) for part in gpu.instances]
        entries[at + 1 : at + 1] = parts

    def cells(of: Callable[[Gpu], str]) -> list[str]:
        """A reading of each; only a whole GPU that answers has one."""
        return [of(gpu) if whole and not gpu.trouble else "" for _, gpu, whole in entries]

    columns = [
        Column("GPU", [where for where, _, _ in entries]),
        Column("name", [_name(gpu, room) for _, gpu, _ in entries], right=False),
        Column("load", cells(lambda gpu: _with(gpu.gpu_utilization, "%"))),
        Column("memory", ["" if gpu.trouble else _memory(gpu, room) for _, gpu, _ in entries]),
        Column("used", ["" if gpu.trouble else _share(gpu) for _, gpu, _ in entries], rank=3),
        Column("temp", cells(lambda gpu: _with(gpu.temperature, "°C"))),
        Column("power", cells(_power)),
        Column("SM MHz", cells(lambda gpu: units.number(gpu.sm_clock)), rank=5),
        Column("mem MHz", cells(lambda gpu: units.number(gpu.memory_clock)), rank=6),
        Column("fan", cells(lambda gpu: _with(gpu.fan, "%")), rank=2),
        Column("state", cells(lambda gpu: _with(gpu.performance_state, "", "P")), rank=4),
        Column("ECC", cells(lambda gpu: _with(gpu.ecc_errors, "")), rank=1),
        Column("mem busy", cells(lambda gpu: _with(gpu.memory_utilization, "%")), rank=7),
        Column("encoder", cells(lambda gpu: _with(gpu.encoder, "%")), rank=10),
        Column("decoder", cells(lambda gpu: _with(gpu.decoder, "%")), rank=9),
        Column("bus", [gpu.bus or "" for _, gpu, _ in entries], rank=8),
    ]
    notes = [_note(gpu, room) for _, gpu, _ in entries]
    if any(notes):
        columns.append(Column("notes", notes, right=False, flexible=True))
    return lines(fitting(columns, room, _LEAST_NOTE), room)


def _of_processes(rows: Sequence[tuple[str, GpuProcess]], room: int | None) -> list[str]:
    short = _is_short(room)
    size = units.short if short else units.size

    def cells(of: Callable[[GpuProcess], str]) -> list[str]:
        return [of(process) for _, process in rows]

    def user(process: GpuProcess) -> str:
        name = process.user or MISSING
        return name if room is None else units.cut(name, _USER)

    columns = [
        Column("GPU", [where for where, _ in rows]),
        Column("pid", cells(lambda process: str(process.pid))),
        Column("user", cells(user), right=False),
        Column("type", cells(lambda process: process.type or MISSING), rank=5, right=False),
        Column("memory", cells(lambda process: _bytes(process.used, size))),
        Column("SM", cells(lambda process: _with(process.sm, "%"))),
        Column("mem busy", cells(lambda process: _with(process.bandwidth, "%")), rank=6),
        Column("CPU", cells(lambda process: _with(process.cpu, "%")), rank=1),
        Column("host", cells(lambda process: _bytes(process.resident, size)), rank=4),
        Column("time", cells(_time), rank=2),
        Column(
            "inside" if short else "look inside",
            cells(lambda process: _inside(process, short=short)),
            rank=3,
            right=False,
        ),
        Column("command", cells(lambda each: each.command or MISSING), right=False, flexible=True),
    ]
    return lines(fitting(columns, room, _LEAST_COMMAND), room)


def _is_short(room: int | None) -> bool:
    return room is not None and room < _LONG


def _with(value: float | None, unit: str, before: str = "") -> str:
    return MISSING if value is None else f"{before}{value:.0f}{unit}"


def _bytes(value: int | None, size: Callable[[int], str]) -> str:
    return MISSING if value is None else size(value)


def _name(gpu: Gpu, room: int | None) -> str:
    name = MISSING if gpu.name is None else gpu.name.removeprefix("NVIDIA ")
    return name if room is None else units.cut(name, _SHORT_NAME if _is_short(room) else _NAME)


def _memory(gpu: Gpu, room: int | None) -> str:
    size = units.short if _is_short(room) else units.size
    return f"{_bytes(gpu.used, size)} / {_bytes(gpu.total, size)}"


def _share(gpu: Gpu) -> str:
    return MISSING if gpu.used is None or not gpu.total else units.share(gpu.used, gpu.total)


def _power(gpu: Gpu) -> str:
    return f"{units.number(gpu.power)} / {units.number(gpu.power_cap)} W"


def _note(gpu: Gpu, room: int | None) -> str:
    short = _is_short(room)
    return gpu.trouble or ", ".join(sign.brief if short else sign.full for sign in signs(gpu))


def _time(process: GpuProcess) -> str:
    return MISSING if process.seconds is None else units.duration(process.seconds)


def _inside(process: GpuProcess, *, short: bool) -> str:
    """`yes`, `observed`, or why not."""
    if process.inside is None:
        return MISSING
    if process.inside == "impossible":
        return "no" if short else process.obstacle or "no"
    return "observed" if process.inside == "observed" else "yes"


def _refused(row: ProcessRow) -> str:
    return f"GPU {row.where}: processes {row.refused}"
