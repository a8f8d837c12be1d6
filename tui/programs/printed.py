"""What a program prints on a terminal of its own, as lines."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from vramtop.tui.worker.link import WorkerLine

# Colours, moves of the cursor, titles of windows; and such that are not complete yet.
_ESCAPE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9]|[=>78cM])"
)
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]*\x1b?|[()])?$")
_ERASE = re.compile(r"\x1b\[[02]?K")
_ERASED = "\v"
_CONTROL = re.compile(r"[\x00-\x07\x0c\x0e-\x1f\x7f]")
_LONGEST = 4096


class Printed:
    """Turns the bytes of a terminal into lines.

    A carriage return begins the line anew, as progress bars do. A line that is not ended yet is
    told too; what follows takes its place.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""  # an escape sequence that is not complete
        self._line, self._at = "", 0  # the line that is not ended, and where the cursor is
        self._told: str | None = None  # what was told of that line

    def lines(self, data: bytes) -> Iterator[WorkerLine]:
        """What these bytes add."""
        text = self._rest + self._decoder.decode(data)
        cut = _UNFINISHED.search(text)
        self._rest, text = (cut[0], text[: cut.start()]) if cut else ("", text)
        plain = _CONTROL.sub("", _ESCAPE.sub("", _ERASE.sub(_ERASED, text)))
        *ended, last = plain.replace("\r\n", "\n").split("\n")
        for piece in ended:
            self._write(piece)
            yield from self._tell()
            self._line, self._at, self._told = "", 0, None
        self._write(last)
        if self._line.strip():
            yield from self._tell()

    def _tell(self) -> Iterator[WorkerLine]:
        line = self._line.rstrip()
        if line != self._told:
            yield WorkerLine(line, again=self._told is not None)
            self._told = line

    def _write(self, text: str) -> None:
        """Write on the line."""
        for piece in re.split(f"([\r\b{_ERASED}])", text):
            if piece == "\r":
                self._at = 0
            elif piece == "\b":
                self._at = max(0, self._at - 1)
            elif piece == _ERASED:
                self._line = self._line[: self._at]
            elif piece:
                written = piece.expandtabs()[:_LONGEST]
                end = self._at + len(written)
                self._line = (self._line[: self._at] + written + self._line[end:])[:_LONGEST]
                self._at = min(end, _LONGEST)
