"""A training's latest snapshot, in files without a name.

The monitor makes the files and hands their descriptors to its workers, so the files outlive any
worker. The system frees them when no process has them open, so nothing has to be removed.
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
    """The catalogue's entry of a snapshot: its settings, and the steps and images trained by then.

    `slot` is the number of its file, 0 or 1.
    """

    settings: Settings
    steps: int
    images: int
    slot: int = 0


class Shelf:
    """Two files for snapshots, written in turns, and a catalogue that names the complete one.

    `files` are the three descriptors, the catalogue's last. The catalogue is written after the
    snapshot is complete, so if a writer dies, the previous snapshot stays the latest.
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
        """Let `write` fill the free file, which then is the latest snapshot.

        Raises what `write` raises, and `OSError` where there is no space. Then the previous
        snapshot stays the latest.
        """
        before = self.latest()
        slot = 0 if before is None else 1 - before.slot
        with _opened(self.files[slot]) as file:
            file.truncate()
            write(file)
        entry = msgspec.json.encode(msgspec.structs.replace(kept, slot=slot))
        os.pwrite(self.files[2], entry + b"\n", 0)

    def open(self, kept: Kept) -> BinaryIO:
        """The file of that snapshot, opened at its beginning."""
        return _opened(self.files[kept.slot])

    def close(self) -> None:
        """Close the files in this process."""
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
    except OSError:  # no folder for temporary files
        if not hasattr(os, "memfd_create"):
            raise
        return os.memfd_create("snapshot")
