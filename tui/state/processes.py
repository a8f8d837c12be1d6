"""The list of the processes on the GPUs: which are in it, in which order, and as a tree. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, get_args

import msgspec
from msgspec.structs import replace
from vramtop.protocol.gpus import Gpu, GpuProcess, GpusReport

from .process_tree import Branch, branches

Column = Literal[
    "GPU", "pid", "type", "user", "memory", "SM", "CPU", "host", "time", "inside", "command"
]
COLUMNS: tuple[Column, ...] = get_args(Column)
_ENTERED = {"observed": 0, "possible": 1}
# What each column is sorted by; all values of a column are of one type.
_VALUES: dict[Column, Callable[[GpuProcess], Any]] = {
    "pid": lambda process: process.pid,
    "type": lambda process: process.type,
    "user": lambda process: process.user,
    "memory": lambda process: process.used,
    "SM": lambda process: process.sm,
    "CPU": lambda process: process.cpu,
    "host": lambda process: process.resident,
    "time": lambda process: process.seconds,
    "inside": lambda process: _ENTERED.get(process.inside or "", 2),
    "command": lambda process: process.command,
}
_LARGEST_FIRST: tuple[Column, ...] = ("memory", "SM", "CPU", "host", "time")


class ProcessView(msgspec.Struct, frozen=True):
    """How the processes are listed.

    They are sorted `by` a column, the other way round with `backwards`. With `words` only those are
    listed that have all these words, with `user` only those of one user. `tree` puts each below the
    process that started it. Those of the GPU at the place `first` come before all others.
    """

    by: Column = "GPU"
    backwards: bool = False
    words: str = ""
    user: str | None = None
    tree: bool = False
    first: int = 0

    def sorted_by(self, column: Column) -> ProcessView:
        """Sorted by this column; where that is so already, the other way round."""
        if column == self.by:
            return replace(self, backwards=not self.backwards)
        return replace(self, by=column, backwards=False)

    def sorted_by_next(self) -> ProcessView:
        """Sorted by the next column; after the last by the first."""
        return self.sorted_by(COLUMNS[(COLUMNS.index(self.by) + 1) % len(COLUMNS)])

    def of_next_user(self, users: Sequence[str]) -> ProcessView:
        """Those of the next of these users; after the last those of all."""
        ring = (None, *users)
        at = ring.index(self.user) if self.user in ring else 0
        return replace(self, user=ring[(at + 1) % len(ring)])

    @property
    def largest_first(self) -> bool:
        """Whether the largest value comes first."""
        return (self.by in _LARGEST_FIRST) != self.backwards

    @property
    def filtered(self) -> bool:
        """Whether some processes may be left out."""
        return bool(self.words) or self.user is not None


class ProcessRow(msgspec.Struct, frozen=True):
    """A process on a GPU. Where `process` is None, `refused` says why the list is missing.

    `where` is the GPU's index, or like `0.1` for an instance; it is empty for a process that holds
    no memory on a GPU and is there for those below it. `place` is the GPU's place among the GPUs.
    `branch` leads to the process in the tree.
    """

    place: int
    where: str
    process: GpuProcess | None
    refused: str = ""
    branch: str = ""

    def same(self, other: ProcessRow) -> bool:
        """Whether it is the same process on the same GPU; the bytes may differ."""
        pids = [row.process and row.process.pid for row in (self, other)]
        return self.where == other.where and pids[0] == pids[1]


def process_rows(report: GpusReport, view: ProcessView) -> tuple[ProcessRow, ...]:
    """The rows of this view; those of an instance stand under the instance alone."""
    rows = all_rows(report)
    kept = [row for row in rows if _kept(row, view)] if view.filtered else rows
    found = _sorted(kept, view)
    return _as_tree(found, report.ancestors) if view.tree else tuple(found)


def all_rows(report: GpusReport) -> tuple[ProcessRow, ...]:
    """The processes of all GPUs, GPU by GPU."""
    gpus = enumerate(report.gpus)
    return tuple(row for place, gpu in gpus for row in _of_gpu(place, gpu))


def users(report: GpusReport) -> list[str]:
    """Whose processes there are, in the order of their names."""
    rows = all_rows(report)
    return sorted({row.process.user for row in rows if row.process and row.process.user})


def _of_gpu(place: int, gpu: Gpu) -> list[ProcessRow]:
    found, listed = list[ProcessRow](), set[int]()
    for part in gpu.instances:
        where = f"{gpu.index}.{part.index}"
        found += [ProcessRow(place, where, process) for process in part.processes or ()]
        listed |= {process.pid for process in part.processes or ()}
    rest = [process for process in gpu.processes or () if process.pid not in listed]
    found += [ProcessRow(place, str(gpu.index), process) for process in rest]
    if gpu.processes is None and gpu.trouble is None and not found:
        reason = gpu.refused.get("processes")
        text = f"not available: {reason}" if reason else "not available"
        found.append(ProcessRow(place, str(gpu.index), None, text))
    return found


def _kept(row: ProcessRow, view: ProcessView) -> bool:
    process = row.process
    if process is None:
        return False
    if view.user is not None and process.user != view.user:
        return False
    text = f"{process.pid} {process.user or ''} {process.command or ''}".casefold()
    return all(word in text for word in view.words.casefold().split())


def _sorted(rows: Sequence[ProcessRow], view: ProcessView) -> list[ProcessRow]:
    """The rows in the order of the view. A process without a value comes after those with one."""
    found = sorted(rows, key=_usual)
    if view.by == "GPU":
        found.sort(key=lambda row: row.place, reverse=view.backwards)
    else:
        value = _VALUES[view.by]
        valued = [(value(row.process) if row.process else None, row) for row in found]
        known = [(it, row) for it, row in valued if it is not None]
        known.sort(key=lambda pair: pair[0], reverse=view.largest_first)
        found = [row for _, row in known] + [row for it, row in valued if it is None]
    found.sort(key=lambda row: row.place != view.first)
    return found


def _usual(row: ProcessRow) -> tuple[int, bool, int, int, int]:
    """GPU by GPU; there those of instances first, by their slots; the largest of each first."""
    _, _, slot = row.where.partition(".")
    process = row.process or GpuProcess(0)
    return row.place, not slot, int(slot or 0), -(process.used or 0), process.pid


def _as_tree(rows: Sequence[ProcessRow], ancestors: Sequence[GpuProcess]) -> tuple[ProcessRow, ...]:
    """The rows below the processes that started them."""
    on_gpus: dict[int, list[ProcessRow]] = {}
    for row in rows:
        if row.process is not None:
            on_gpus.setdefault(row.process.pid, []).append(row)
    places = {pid: place for place, pid in enumerate(on_gpus)}
    processes = {each.pid: each for each in ancestors} | {
        pid: row.process for pid, (row, *_) in on_gpus.items() if row.process is not None
    }
    found = list[ProcessRow]()
    for branch in branches(processes, places):
        found += _of_branch(branch, processes, on_gpus)
    return (*found, *(row for row in rows if row.process is None))


def _of_branch(
    branch: Branch,
    processes: Mapping[int, GpuProcess],
    on_gpus: Mapping[int, Sequence[ProcessRow]],
) -> list[ProcessRow]:
    """A row for each GPU on which the process is; else one for those below it."""
    here = on_gpus.get(branch.pid)
    if here:
        return [replace(row, branch=branch.drawn) for row in here]
    place = on_gpus[branch.first][0].place
    return [ProcessRow(place, "", processes[branch.pid], branch=branch.drawn)]
