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
    parents = _parents(processes, wanted)
    above = {pid: list(_above(pid, parents)) for pid in wanted}
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


def _parents(processes: Mapping[int, GpuProcess], wanted: Collection[int]) -> dict[int, int | None]:
    """The parents of the wanted processes and of those above; None where none is known.

    Numbers are used again while processes are looked up, so that two can seem to have started each
    other. Such a circle is cut.
    """
    parents: dict[int, int | None] = {}
    for pid in wanted:
        line, at = {pid}, pid
        while at not in parents:
            process = processes.get(at)
            parent = process.parent if process else None
            if parent == _INIT or parent in line or parent not in processes:
                parent = None
            parents[at] = parent
            if parent is None:
                break
            line.add(parent)
            at = parent
    return parents


def _above(pid: int, parents: Mapping[int, int | None]) -> Iterator[int]:
    """The processes above this one, the nearest first."""
    while (above := parents.get(pid)) is not None:
        yield above
        pid = above


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
