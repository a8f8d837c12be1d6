"""What the terminal shows, cell by cell, so that only cells that differ are sent to it. Pure."""

from __future__ import annotations

import re

import msgspec
from rich.cells import cell_len

from .pen import Pen

# Moves, changes of style, ends of lines and text: all that Textual's updates of the screen hold.
_TOKEN = re.compile(r"\x1b\[(\d+);(\d+)H|\x1b\[([\d;]*)m|\n|([^\x00-\x1f\x7f-\x9f]+)")
# What changes no cell: modes of the terminal without those that switch screens, bells, pictures
# that cells name, and commands that are not for the screen, such as the clipboard's.
_HARMLESS = re.compile(
    r"(?:\x1b\[\?(?!47[hl]|104[79][hl])[\d;]+(?:[hl]|\$p)|\x07|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"
    r"|\x1b_G(?:a=T,U=1,|m=)[^\x1b]*\x1b\\)*"
)
# So many cells between two changes are sent again rather than jumped over.
_JUMP = 4
_NOWHERE = (-1, -1)


class _Run(msgspec.Struct, frozen=True):
    """Text of one style, from column `x` of line `y`, both from 0. `width` is in cells."""

    x: int
    y: int
    text: str
    style: str
    width: int

    @property
    def end(self) -> int:
        """The column behind it."""
        return self.x + self.width

    @property
    def even(self) -> bool:
        """Whether each character takes one cell."""
        return self.width == len(self.text)


class _Update(msgspec.Struct, frozen=True):
    """What is to be drawn, and where the cursor stands after it."""

    runs: list[_Run]
    cursor: tuple[int, int]


class _Line(msgspec.Struct):
    """The characters of a line, and the style of each; None where it is not known."""

    characters: list[str | None]
    styles: list[str | None]


class ScreenMemory:
    """Follows what is written to a terminal, and leaves out cells that it shows already.

    It begins once the whole screen was drawn, and does so again after whatever may have changed the
    screen in another way. Drawings of the whole screen are sent as they are. So are texts in which
    a character does not take one cell.
    """

    def __init__(self) -> None:
        self._size = (0, 0)
        self._lines: list[_Line] = []  # none while the screen is not known
        self._pen = Pen()
        self._cursor = _NOWHERE

    def thinned(self, data: str, size: tuple[int, int]) -> str:
        """What must be sent in place of `data` to a terminal of `size` columns and lines."""
        if _HARMLESS.fullmatch(data):
            return data
        update = _read(data)
        if update is None or any(run.end > size[0] or run.y >= size[1] for run in update.runs):
            return self._forget(data)
        if sum(run.width for run in update.runs) == size[0] * size[1]:
            self._size = size
            self._lines = [_Line([None] * size[0], [None] * size[0]) for _ in range(size[1])]
            for run in update.runs:
                self._note(run)
            self._cursor = update.cursor
            return self._pen.put_down() + data
        if size != self._size or not self._lines:
            return self._forget(data)
        return self._differing(update)

    def _forget(self, data: str) -> str:
        self._lines = []
        return self._pen.put_down() + data

    def _note(self, run: _Run) -> None:
        line = self._lines[run.y]
        known = run.even
        line.characters[run.x : run.end] = run.text if known else [None] * run.width
        line.styles[run.x : run.end] = [run.style if known else None] * run.width

    def _differing(self, update: _Update) -> str:
        """The runs, each without what the terminal shows already."""
        sent, at = list[str](), self._cursor
        for run in update.runs:
            for x, text in _changes(run, self._lines[run.y]):
                sent += [_move(at, (x, run.y)), self._pen.change(run.style), text]
                # Terminals do not agree on how wide some characters are. From behind the last
                # column, where they do not agree either, nothing is reached but by its address.
                at = (x + len(text), run.y) if run.even else _NOWHERE
            self._note(run)
        self._cursor = update.cursor
        return "".join([*sent, _move(at, update.cursor)])


def _read(data: str) -> _Update | None:
    """The update; None where it has what is none of its parts."""
    runs, style, at, cursor = list[_Run](), "", 0, (0, 0)
    while at < len(data):
        token = _TOKEN.match(data, at)
        if token is None or (at == 0 and token[1] is None):
            return None
        at = token.end()
        if token[1] is not None:
            cursor = (int(token[2]) - 1, int(token[1]) - 1)
        elif token[3] is not None:
            style = "" if token[3] in ("", "0") else f"{style};{token[3]}".lstrip(";")
        elif token[4] is not None:
            text = token[4]
            width = len(text) if text.isascii() else cell_len(text)
            runs.append(_Run(*cursor, text, style, width))
            cursor = (cursor[0] + width, cursor[1])
    return _Update(runs, cursor) if data else None


def _changes(run: _Run, line: _Line) -> list[tuple[int, str]]:
    """The parts of a run that differ from what the line shows: column and text."""
    if not run.even:
        return [(run.x, run.text)]
    was, styled = line.characters[run.x : run.end], line.styles[run.x : run.end]
    if was == [*run.text] and styled == [run.style] * run.width:
        return []
    cells = enumerate(zip(was, run.text, styled, strict=True))
    differing = [n for n, (old, new, style) in cells if old != new or style != run.style]
    found, first, last = list[tuple[int, str]](), differing[0], differing[0]
    for n in differing:
        if n > last + 1 + _JUMP:
            found.append((run.x + first, run.text[first : last + 1]))
            first = n
        last = n
    return [*found, (run.x + first, run.text[first : last + 1])]


def _move(at: tuple[int, int], to: tuple[int, int]) -> str:
    """The shortest way from a known place to another."""
    if at == to:
        return ""
    if at[1] == to[1] and at[0] < to[0]:
        right = to[0] - at[0]
        return f"\x1b[{right}C" if right > 1 else "\x1b[C"
    return f"\x1b[{to[1] + 1};{to[0] + 1}H"
