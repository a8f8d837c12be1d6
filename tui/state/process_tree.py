"""Processes below those that started them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec
from vramtop.protocol.gpus import GpuProcess

_INIT = 1  # takes over the processes whose parent has ended


class Branch(msgspec.Struct, frozen=True):
    """A process in the tree: what leads to it, and which wanted process below it comes first."""

    pid: int
    drawn: str
    first: int


def branches(processes: Mapping[int, GpuProcess], wanted: Mapping[int, int]) -> list[Branch]:
    """The tree of the `wanted` processes, line by line, with those above them that matter.

    `wanted` gives the order of those that are listed in any case. Of the others, a process is in
    the tree if it started one of these, or if several branches meet there. Process 1 is left out.
    """
    above = {pid: list(_above(pid, processes)) for pid in wanted}
    shown = _shown(above, wanted)
    children: dict[int | None, list[int]] = {}
    first = {pid: pid for pid in wanted}
    for pid, line in above.items():
        at = pid
        for parent in [each for each in line if each in shown]:
            if at not in children.setdefault(parent, []):
                children[parent].append(at)
            best = first.get(parent)
            if best is None or wanted[pid] < wanted[best]:
                first[parent] = pid
            at = parent
        if at not in children.setdefault(None, []):
            children[None].append(at)
    for members in children.values():
        members.sort(key=lambda pid: wanted[first[pid]])
    return list(_drawn(None, "", children, first))


def _above(pid: int, processes: Mapping[int, GpuProcess]) -> Iterator[int]:
    """The known processes above this one, the nearest first."""
    seen = {pid}
    while True:
        process = processes.get(pid)
        parent = process.parent if process else None
        if parent is None or parent == _INIT or parent in seen or parent not in processes:
            return
        seen.add(parent)
        yield parent
        pid = parent


def _shown(above: Mapping[int, Sequence[int]], wanted: Collection[int]) -> set[int]:
    """The processes that are in the tree."""
    below: dict[int, set[int]] = {}
    for pid, line in above.items():
        for nearer, parent in zip([pid, *line], line, strict=False):
            below.setdefault(parent, set()).add(nearer)
    started = {line[0] for line in above.values() if line}
    return {*wanted, *started, *(pid for pid, members in below.items() if len(members) > 1)}


def _drawn(
    parent: int | None,
    indent: str,
    children: Mapping[int | None, Sequence[int]],
    first: Mapping[int, int],
) -> Iterator[Branch]:
    members = children.get(parent, ())
    for pid in members:
        last = pid == members[-1]
        top = parent is None
        yield Branch(pid, "" if top else f"{indent}{'└ ' if last else '├ '}", first[pid])
        inner = "" if top else f"{indent}{'  ' if last else '│ '}"
        yield from _drawn(pid, inner, children, first)
