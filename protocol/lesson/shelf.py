"""Where a training's latest snapshot lies: in files without a name, outside the worker.

The monitor makes them and hands them to its workers, so they outlive any worker. The system frees
them once no process holds them any more, however that came about: nothing is left to remove.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from typing import BinaryIO

import msgspec

from .settings import Settings

_CATALOGUE_BYTES = 65_536


class Kept(msgspec.Struct, frozen=True):
    """What a snapshot is of: its settings, and the steps and images trained until then.

    `slot` is the file that holds it, 0 or 1.
    """

    settings: Settings
    steps: int
    images: int
    slot: int = 0


class Shelf:
    """Two files for snapshots, written in turns, and a catalogue that names the complete one.

    `files` are their three descriptors, the catalogue's last. The catalogue changes only once a
    snapshot is complete, so a writer that dies leaves the snapshot before it in force.
    """

    def __init__(self, files: Sequence[int]) -> None:
        self.files = tuple(files)

    @classmethod
    def make(cls) -> Shelf:
        """An empty shelf. Raises `OSError` where no file can be made."""
        return cls([_nameless() for _ in range(3)])

    def latest(self) -> Kept | None:
        """The latest complete snapshot; None where there is none."""
        entry, end, _ = os.pread(self.files[2], _CATALOGUE_BYTES, 0).partition(b"\n")
        return msgspec.json.decode(entry, type=Kept) if end else None

    def put(self, kept: Kept, write: Callable[[BinaryIO], None]) -> None:
        """Let `write` fill the free file; from then on that is the latest snapshot.

        Raises what `write` raises, and `OSError` where there is no space; the snapshot before it
        then stays the latest.
        """
        before = self.latest()
        slot = 0 if before is None else 1 - before.slot
        with _opened(self.files[slot]) as file:
            file.truncate()
            write(file)
        entry = msgspec.json.encode(msgspec.structs.replace(kept, slot=slot))
        os.pwrite(self.files[2], entry + b"\n", 0)

    def open(self, kept: Kept) -> BinaryIO:
        """The file of that snapshot, at its beginning."""
        return _opened(self.files[kept.slot])

    def close(self) -> None:
        """Let go of the files; they are gone once every other process has done so too."""
        for file in self.files:
            os.close(file)


def _opened(file: int) -> BinaryIO:
    opened = os.fdopen(os.dup(file), "r+b")
    opened.seek(0)
    return opened


def _nameless() -> int:
    try:
        with tempfile.TemporaryFile() as file:
            return os.dup(file.fileno())
    except OSError:  # no folder for it: then in memory
        if not hasattr(os, "memfd_create"):
            raise
        return os.memfd_create("snapshot")
