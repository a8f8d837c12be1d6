"""By how much the batch could grow: from two shapes, from one, and what a later step proves."""

from __future__ import annotations

import pytest
from fake import FakeProgram, second_period
from msgspec.structs import replace
from vramtop.accounting.program.room import alike, room
from vramtop.accounting.program.shapes import Seen, seen
from vramtop.protocol.observed.record import Input
from vramtop.protocol.observed.report import StepReport
from vramtop.protocol.observed.shapes import Room

WEIGHT, ROW, PASSING, UPDATE = 1000, 30, 5, 600
AVAILABLE = 5000


def inputs(*shapes: tuple[int, ...]) -> tuple[Input, ...]:
    return tuple(Input("float32", shape) for shape in shapes)


def step(rows: int, *rest: int, row: int = ROW, update: int = 0, kept: int = 0) -> StepReport:
    """Weights, `row` bytes kept for each row of the batch, and temporaries in backward and update.

    Each row's activations are alive when backward makes `PASSING` bytes for it.
    """
    program = FakeProgram()
    weight = program.hold(WEIGHT)
    program.hold(kept)
    with second_period(program):
        program.see("parameters", weight)
        with program.call():
            made = program.take(rows * row)
        with program.backward():
            passing = program.take(rows * PASSING)
            program.give(passing, made)
        with program.optimizer():
            if update:
                program.give(program.take(update))
    return program.report(inputs=inputs((rows, *rest)))


def estimates(*steps: StepReport, available: int = AVAILABLE) -> list[Room | None]:
    """The estimate after each of these steps."""
    known, found, made = Seen(), None, []
    highest = steps[0]
    for each in steps:
        known = seen(known, each, 0.1, None)
        if (each.peak.bytes, each.inputs[0].shape) > (highest.peak.bytes, highest.inputs[0].shape):
            highest = each
        found = room(found, known.shapes.seen, highest, each.inputs, available)
        made.append(found)
    return made


def test_from_two_shapes_the_slope_of_the_peak_is_measured() -> None:
    *_, found = estimates(step(12, 16), step(8, 16))
    row = ROW + PASSING
    assert found == Room(
        inputs=inputs((12, 16)), rows=12, most_rows=(AVAILABLE - WEIGHT) // row,
        bytes_per_row=row, by="slope", fewer_rows=8, available=AVAILABLE,
    )  # fmt: skip


def test_a_smaller_last_batch_gives_the_slope_too_and_the_nearest_is_taken() -> None:
    # What is kept for good once does not belong to a row.
    *_, found = estimates(step(12), step(3), step(11, kept=7), step(12, kept=7))
    assert found is not None
    assert (found.rows, found.fewer_rows, found.bytes_per_row) == (12, 11, ROW + PASSING)


def test_from_one_shape_what_belongs_to_the_batch_is_taken_to_grow() -> None:
    (found,) = estimates(step(8, 16))
    row = ROW + PASSING
    assert found == Room(
        inputs=inputs((8, 16)), rows=8, most_rows=(AVAILABLE - WEIGHT) // row,
        bytes_per_row=row, by="proportion", fewer_rows=None, available=AVAILABLE,
    )  # fmt: skip


def test_a_peak_in_the_update_does_not_hide_what_grows() -> None:
    # The update's temporaries are the peak, and stay as they are; forward overtakes them.
    (found,) = estimates(step(8, update=UPDATE))
    assert found is not None
    assert found.most_rows == (AVAILABLE - WEIGHT) // (ROW + PASSING)
    # Two shapes with one peak have no slope.
    *_, found = estimates(step(4, update=UPDATE), step(8, update=UPDATE))
    assert found is not None
    assert (found.by, found.rows) == ("proportion", 8)
    assert found.most_rows == (AVAILABLE - WEIGHT) // (ROW + PASSING)


def test_shapes_that_differ_elsewhere_have_no_common_slope() -> None:
    longer, shorter = step(8, 64, row=4 * ROW), step(8, 16)
    for steps in ((longer, shorter), (shorter, longer)):
        *_, found = estimates(*steps)
        assert found is not None
        assert (found.by, found.inputs) == ("proportion", inputs((8, 64)))
        assert found.bytes_per_row == 4 * ROW + PASSING


@pytest.mark.parametrize(
    ("some", "others", "expected"),
    [
        (((8, 16),), ((4, 16),), True),
        (((8, 16), (8,)), ((4, 16), (4,)), True),
        (((8, 16), (50, 50)), ((4, 16), (50, 50)), True),
        (((8, 16), ()), ((4, 16), ()), True),
        (((8, 16), (50,)), ((4, 16), (60,)), False),
        (((8, 16), (8, 2)), ((4, 16), (4, 3)), False),
        (((8, 16),), ((4, 16), (4,)), False),
        (((8, 16),), ((8, 17),), False),
    ],
)
def test_shapes_are_alike_that_differ_in_rows_only(some, others, expected: bool) -> None:
    assert alike(inputs(*some), inputs(*others)) is expected
    assert alike(inputs(*others), inputs(*some)) is expected


def test_another_type_is_another_shape() -> None:
    assert not alike((Input("float32", (8, 2)),), (Input("float16", (4, 2)),))


def test_an_estimate_is_proved_by_a_step_with_more_rows_as_far_as_it_went() -> None:
    first, second, third = estimates(step(8), step(20), step(16))
    assert first is not None
    assert second is not None
    assert third is not None
    assert first.most_rows == 114
    assert [first.proved_rows, second.proved_rows, third.proved_rows] == [None, 20, 20]
    # The estimate of 10 rows says nothing of 12.
    tight = WEIGHT + 10 * (ROW + PASSING)
    _, second = estimates(step(8), step(12), available=tight)
    assert second is not None
    assert second.proved_rows == 10
    assert second.most_rows == 12  # which ran


def test_a_longer_sequence_proves_nothing_of_shorter_ones() -> None:
    *_, found = estimates(step(8, 16), step(20, 16), step(8, 512, row=100 * ROW))
    assert found is not None
    assert (found.inputs, found.proved_rows) == (inputs((8, 512)), None)


def test_inputs_without_a_dimension_have_no_room() -> None:
    scalar = replace(step(8), inputs=inputs(()))
    assert estimates(scalar) == [None]


def test_a_workspace_is_not_available() -> None:
    program = FakeProgram()
    program.hold(512)
    with second_period(program), program.call():
        made = program.take(80)
        program.mark("backward")
        program.give(made)
        program.mark("backward_end")
    reported = program.report(inputs=inputs((8,)), workspace_sizes=(512,))
    assert reported.allocator is not None
    assert reported.allocator.workspace == 512
    (found,) = estimates(reported, available=512 + 200)
    assert found is not None
    assert found.most_rows == 20
