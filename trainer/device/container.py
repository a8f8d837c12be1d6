"""The memory limit of the container that this process runs in, from cgroups of version 1 or 2.

A process may have less memory than its machine: each cgroup on the way up to the root can have a
limit, and the kernel kills a process that exceeds one. No torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

_UNLIMITED = 2**60  # without a limit, version 1 states a number above this


class Allowance(NamedTuple):
    """The tightest limit, and what can still be allocated within every limit; in bytes."""

    limit: int
    available: int


class _Hierarchy(NamedTuple):
    """A mounted cgroup filesystem: its mount point, the folder mounted there, and file names."""

    mount: Path
    root: PurePosixPath
    limit: str
    used: str
    reclaimable: str


def allowance(root: Path = Path("/")) -> Allowance | None:
    """What the cgroups of this process allow; None where none of them has a limit.

    `/proc` and the mounted filesystems are looked for below `root`.
    """
    found = [
        Allowance(limit, max(0, limit - used))
        for hierarchy, path in _hierarchies(root)
        for limit, used in _limits(hierarchy, path)
    ]
    if not found:
        return None
    return Allowance(min(one.limit for one in found), min(one.available for one in found))


def _hierarchies(root: Path) -> Iterator[tuple[_Hierarchy, PurePosixPath]]:
    """The hierarchies that count memory, each with this process's path in it."""
    paths = _paths(_text(root / "proc/self/cgroup"))
    for line in _text(root / "proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(fields) < 5 or len(kind) < 3:
            continue
        mount = root / _unescaped(fields[4]).lstrip("/")
        top = PurePosixPath(_unescaped(fields[3]))
        if kind[0] == "cgroup2" and "" in paths:
            names = ("memory.max", "memory.current", "inactive_file")
            yield _Hierarchy(mount, top, *names), paths[""]
        elif kind[0] == "cgroup" and "memory" in kind[2].split(",") and "memory" in paths:
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            yield _Hierarchy(mount, top, *names), paths["memory"]


def _paths(text: str) -> dict[str, PurePosixPath]:
    """This process's path by controller; an empty name stands for version 2."""
    paths = {}
    for line in text.splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        for controller in controllers.split(","):
            paths[controller] = PurePosixPath(path or "/")
    return paths


def _limits(hierarchy: _Hierarchy, path: PurePosixPath) -> Iterator[tuple[int, int]]:
    """Limit and use of each cgroup, from the mounted one down to the process's own.

    In a container the path can begin outside the mounted folder; then that folder is the process's
    own cgroup.
    """
    inside = path.relative_to(hierarchy.root) if path.is_relative_to(hierarchy.root) else None
    folder = hierarchy.mount
    steps = [folder]
    for part in inside.parts if inside is not None and ".." not in inside.parts else ():
        folder /= part
        steps.append(folder)
    for folder in steps:
        limit = _number(_text(folder / hierarchy.limit))
        used = _number(_text(folder / hierarchy.used))
        if limit is not None and limit < _UNLIMITED:
            # The kernel reclaims cached file pages before it kills a process.
            yield limit, max(0, (used or 0) - _reclaimable(folder, hierarchy.reclaimable))


def _reclaimable(folder: Path, name: str) -> int:
    for line in _text(folder / "memory.stat").splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return _number(value) or 0
    return 0


def _number(text: str) -> int | None:
    """A number of bytes; None for `max` and for a missing file."""
    return int(text) if text.strip().isdecimal() else None


def _unescaped(field: str) -> str:
    """A path as mountinfo writes it, where space, tab, newline and backslash are octal."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(code, character)
    return field


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""
