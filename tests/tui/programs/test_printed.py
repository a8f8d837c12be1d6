"""What a program prints on its terminal, as lines of the log."""

from __future__ import annotations

import pytest
from vramtop.tui.programs.printed import Printed
from vramtop.tui.worker.link import WorkerLine


def log(*pieces: str | bytes) -> list[str]:
    """The lines of the log after these pieces came."""
    printed, lines = Printed(), list[str]()
    for piece in pieces:
        for line in printed.lines(piece if isinstance(piece, bytes) else piece.encode()):
            if line.again:
                lines.pop()
            lines.append(line.text)
    return lines


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        (["one\r\ntwo\r\n"], ["one", "two"]),
        (["on", "e\r\ntw", "o\r\n"], ["one", "two"]),
        (["one\r\n\r\ntwo\r\n"], ["one", "", "two"]),
        (["no end"], ["no end"]),
        (["\r 25%|#   | 1/4", "\r100%|####| 4/4\r\n", "done\r\n"], ["100%|####| 4/4", "done"]),
        (["a long line\rshort\r\n"], ["shortg line"]),
        (["a long line\r\x1b[Kshort\r\n"], ["short"]),
        (["12\b\b345\r\n"], ["345"]),
        (["\x1b[31mred\x1b[0m and \x1b[1mbold\x1b[0m\r\n"], ["red and bold"]),
        (["red\x1b[", "0", "m end\r\n"], ["red end"]),
        (["\x1b]0;a title\x07text\r\n"], ["text"]),
        (["é".encode()[:1], "é".encode()[1:] + b"\r\n"], ["é"]),
        ([b"\xff\r\n"], ["\N{REPLACEMENT CHARACTER}"]),
        (["\a\0bell\r\n"], ["bell"]),
        (["a\tb\r\n"], ["a       b"]),
    ],
)  # fmt: skip
def test_lines_are_as_a_terminal_shows_them(pieces: list[str], lines: list[str]) -> None:
    assert log(*pieces) == lines


def test_a_line_that_is_not_ended_is_reported_at_once_and_replaced_by_what_follows() -> None:
    printed = Printed()
    assert [*printed.lines(b"\r10%")] == [WorkerLine("10%")]
    assert [*printed.lines(b"\r20%")] == [WorkerLine("20%", again=True)]
    assert [*printed.lines(b"\r\n")] == []
    assert [*printed.lines(b"next")] == [WorkerLine("next")]


def test_a_line_without_end_has_an_end() -> None:
    (line,) = log("x" * 100_000)
    assert len(line) == 4096
