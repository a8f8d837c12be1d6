"""What the table says of shapes, evaluation and room, in 80 columns."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from printed_table import lines
from said import OBSERVED, PROGRESS, inference, training
from vramtop.protocol.observed.program import ProgramReport
from vramtop.protocol.observed.record import Input, WatchedStep
from vramtop.protocol.observed.shapes import LeftBehind, Room, Shape, Shapes
from vramtop.tui.programs.programs import Program

LARGE = 10**13
ROOM = Room(
    inputs=(Input("int64", (16, 128)),), rows=16, most_rows=1_234, bytes_per_row=9_196_339,
    by="slope", fewer_rows=8, available=2**33,
)  # fmt: skip


pytestmark = pytest.mark.usefixtures("eighty_columns")


def report(*steps: WatchedStep) -> ProgramReport:
    program = Program(OBSERVED)
    program.add(PROGRESS)
    for number, step in enumerate(steps, 1):
        program.add(step)
        program.seen.add(step, 40 * number, {})
    return program.reports()[0]


def of_length(length: int, kept: int) -> WatchedStep:
    return replace(training(kept=kept), inputs=(Input("int64", (8, length)),))


def test_each_shape_has_a_row_with_the_highest_peak_first_and_peaks_name_theirs() -> None:
    text = lines(
        report(of_length(2048, 300), of_length(4096, 9000), inference(), of_length(2048, 310))
    )
    begin = next(at for at, line in enumerate(text) if line.startswith("largest shapes"))
    assert [line.split() for line in text[begin : begin + 4]] == [
        ["largest", "shapes", "kind", "watched", "peak", "at", "step", "step", "time"],
        ["int64", "8", "×", "4,096", "training", "1", "9.91", "KiB", "80", "100.0", "ms"],
        ["int64", "8", "×", "2,048", "training", "2", "1.43", "KiB", "160", "100.0", "ms"],
        ["float32", "1", "×", "5", "inference", "1", "1.04", "KiB", "120", "100.0", "ms"],
    ]
    assert text[begin + 4 : begin + 6] == [
        "new peak 1.42 KiB at step 40: int64 8 × 2,048",
        "new peak 9.91 KiB at step 80: int64 8 × 4,096",
    ]


def test_one_shape_has_no_table() -> None:
    text = "\n".join(lines(report(training(1), training(2))))
    assert "shapes" not in text
    assert "peak 1" not in text


def test_shapes_that_have_no_row_are_counted_by_steps() -> None:
    measured = report(*(of_length(length, 300 + length) for length in range(9)))
    text = "\n".join(lines(measured))
    assert "… 4 more were watched, of other shapes" in text
    more = replace(measured, shapes=replace(measured.shapes, unlisted=1000))
    assert "… 1,004 more were watched, of other shapes" in "\n".join(lines(more))


@pytest.mark.parametrize(
    ("room", "words"),
    [
        (
            ROOM,
            "Room for about 1,234 rows, now 16 (estimate):\n"
            "8.77 MiB a row of int64 16 × 128, measured from 8 to 16 rows.",
        ),
        (
            replace(ROOM, by="proportion", fewer_rows=None, proved_rows=32),
            "Room for about 1,234 rows, now 16 (estimate; 32 proved):\n"
            "8.77 MiB a row of int64 16 × 128, if batch data, activations and temporaries\n"
            "grow with it.",
        ),
        (
            replace(ROOM, most_rows=16),
            "Room for no more than these 16 rows (estimate):\n"
            "8.77 MiB a row of int64 16 × 128, measured from 8 to 16 rows.",
        ),
    ],
)
def test_the_room_is_called_an_estimate_with_how_it_is_known(room: Room, words: str) -> None:
    assert words in "\n".join(lines(replace(report(training()), room=room)))
    assert "Room" not in "\n".join(lines(report(training())))


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (LeftBehind(measured=1, bytes=4096, latest=4096), "an evaluation other grew by +4.00 KiB."),
        (LeftBehind(measured=1, bytes=0, latest=0), "an evaluation other grew by nothing."),
        (
            LeftBehind(measured=3, bytes=6144, latest=2048),
            "3 evaluations other grew by +6.00 KiB, +2.00 KiB of it over the last.",
        ),
        (LeftBehind(measured=99, bytes=-8, latest=0), "99 evaluations other grew by −8 B."),
    ],
)
def test_what_evaluation_leaves_is_said_as_it_was_measured(left: LeftBehind, words: str) -> None:
    measured = report(training())
    measured = replace(measured, shapes=replace(measured.shapes, left_behind=left))
    assert f"Over {words}" in lines(measured)


def test_nothing_is_wider_than_80_columns_however_large() -> None:
    long = tuple(Input("float64", (LARGE, LARGE, LARGE)) for _ in range(9))
    shape = Shape(
        kind="inference", inputs=long, watched=10**6, peak=LARGE, latest_peak=LARGE,
        seconds=99_999.0, first_step=10**7, peak_step=10**7,
    )  # fmt: skip
    room = replace(ROOM, rows=10**6, most_rows=10**8, proved_rows=10**7, fewer_rows=10**5)
    shapes = Shapes(seen=(shape,) * 9, unlisted=10**9)
    text = lines(replace(report(training()), shapes=shapes, room=room))
    assert max(map(len, text)) <= 80
    assert any("1,000,000" in line and "9.09 TiB" in line for line in text)
