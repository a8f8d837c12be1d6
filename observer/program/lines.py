"""Which line of the program a stack of Python frames belongs to."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path
from types import FrameType

import torch

from .tables import Table

NOWHERE = -1  # the number of no line
_OURS = f"{Path(__file__).parent.parent}/"
_TORCH = f"{Path(torch.__file__).parent}/"
_LIBRARY = tuple(
    f"{path}/" for name in ("stdlib", "platstdlib") if (path := sysconfig.get_paths().get(name))
)
_INSTALLED = ("site-packages", "dist-packages")


class Lines:
    """The lines of the program that allocate, each with a number.

    A line is the innermost one of the program's own code. Where all frames are those of installed
    packages, it is the innermost one that is not PyTorch's.
    """

    def __init__(self) -> None:
        self._lines: Table[tuple[str, int], str] = Table()
        self._ranks: dict[str, int] = {}

    @property
    def texts(self) -> list[str]:
        """Each line as "train.py:42", by its number."""
        return self._lines.values

    def of_frames(self, frames: list[dict[str, object]]) -> int:
        """The number of the line, from an allocator's frames, the innermost first."""
        best, found = 0, None
        for frame in frames:
            rank = self._rank(str(frame["filename"]))
            if rank > best:
                best, found = rank, frame
                if rank == _OWN:
                    break
        return NOWHERE if found is None else self._add(str(found["filename"]), int(found["line"]))  # type: ignore[call-overload]

    def add_text(self, text: str) -> int:
        """The number of a line that is known by its text."""
        return self._lines.add((text, 0), text)

    def here(self) -> int:
        """The number of the line that this thread runs now."""
        return self.of_frame(sys._getframe(1))

    def of_frame(self, frame: FrameType | None) -> int:
        """The number of the line that this frame runs, or what has called it."""
        best, where = 0, None
        while frame is not None:
            rank = self._rank(frame.f_code.co_filename)
            if rank > best:
                best, where = rank, (frame.f_code.co_filename, frame.f_lineno)
                if rank == _OWN:
                    break
            frame = frame.f_back
        return NOWHERE if where is None else self._add(*where)

    def _add(self, file: str, line: int) -> int:
        number = self._lines.number((file, line))  # its text takes a while to make
        return self._lines.add((file, line), f"{shown(file)}:{line}") if number is None else number

    def _rank(self, file: str) -> int:
        rank = self._ranks.get(file)
        if rank is None:
            rank = self._ranks[file] = rank_of(file)
        return rank


def is_library(file: str) -> bool:
    """Whether this is a file of Python's own library."""
    return file.startswith(_LIBRARY) and not any(part in file for part in _INSTALLED)


_NONE, _PACKAGE, _OWN = 0, 1, 2


def rank_of(file: str) -> int:
    """How much a file is the program's: its own code, an installed package's, or neither."""
    if not file or file.startswith((_OURS, _TORCH)) or file.startswith("<frozen"):
        return _NONE
    if any(part in file for part in _INSTALLED):
        return _PACKAGE
    return _NONE if is_library(file) else _OWN


def shown(file: str) -> str:
    """A file below the program's folder by its path there, an installed one from its package."""
    for part in _INSTALLED:
        if part in file:
            return file.rpartition(f"{part}/")[2]
    folder = sys.path[0] if sys.path else ""
    path = Path(file)
    return str(path.relative_to(folder)) if folder and path.is_relative_to(folder) else path.name
