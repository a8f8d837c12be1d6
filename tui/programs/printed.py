"""What a program prints on a terminal of its own, as lines."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from vramtop.tui.worker.link import WorkerLine

# Colours, moves of the cursor, titles of windows.
_ESCAPE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9]|[=>78cM])"
)
# The beginning of one, at the end of what was read.
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]*\x1b?|[()])?$")
_ERASE = re.compile(r"\x1b\[[02]?K")
_ERASED = "\v"
_CONTROL = re.compile(r"[\x00-\x07\x0c\x0e-\x1f\x7f]")
_LONGEST = 4096


class Printed:
    """Turns the bytes of a terminal into lines.

    A carriage return begins the line anew, as progress bars do. A line that is not ended yet is
    given too; what follows takes its place.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""  # an escape sequence that is not complete
        self._line, self._at = "", 0  # the line that is not ended, and where the cursor is
        self._given: str | None = None  # the text that was given for that line

    def lines(self, data: bytes) -> Iterator[WorkerLine]:
        """The lines that these bytes add or change."""
        text = self._rest + self._decoder.decode(data)
        cut = _UNFINISHED.search(text)
        self._rest, text = (cut[0], text[: cut.start()]) if cut else ("", text)
        plain = _CONTROL.sub("", _ESCAPE.sub("", _ERASE.sub(_ERASED, text)))
        *ended, last = plain.replace("\r\n", "\n").split("\n")
        for piece in ended:
            self._write(piece)
            yield from self._give()
            self._line, self._at, self._given = "", 0, None
        self._write(last)
        if self._line.strip():
            yield from self._give()

    def _give(self) -> Iterator[WorkerLine]:
        line = self._line.rstrip()
        if line != self._given:
            yield WorkerLine(line, again=self._given is not None)
            self._given = line

    def _write(self, text: str) -> None:
        """Write at the cursor, over what stands there."""
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
