"""By how much the batch could grow: from two shapes, from one, and what a later step proves."""

from __future__ import annotations

import pytest
from fake import FakeProgram, plain_period
from msgspec.structs import replace
from vramtop.accounting.program.report import report
from vramtop.accounting.program.room import RoomEstimate, alike
from vramtop.protocol.observed.record import Input, WatchedStep
from vramtop.protocol.observed.shapes import Room

MIB = 2**20
# Each is a segment of its own, so that the allocator rounds nothing up.
WEIGHT, ROW, PASSING, UPDATE = 1000 * MIB, 30 * MIB, 4 * MIB, 600 * MIB
AVAILABLE = 5000 * MIB
FITTING = (AVAILABLE - WEIGHT) // (ROW + PASSING)


def inputs(*shapes: tuple[int, ...]) -> tuple[Input, ...]:
    return tuple(Input("float32", shape) for shape in shapes)


def step(
    rows: int,
    *rest: int,
    row: int = ROW,
    passing: int = PASSING,
    update: int = 0,
    kept: int = 0,
    workspace: int = 0,
    extra: bool = False,
) -> WatchedStep:
    """Weights, `row` bytes kept for each row of the batch, and temporaries in backward and update.

    Each row's activations are alive when backward makes `passing` bytes for it. `extra` asks the
    allocator for something once more.
    """
    program = FakeProgram()
    weight = program.hold(WEIGHT)
    for size in filter(None, (kept, workspace)):
        program.hold(size)
    program.period()
    program.give(program.take(1))
    program.period()
    program.see("parameters", weight)
    with program.call():
        made = program.take(rows * row)
        if extra:
            program.give(program.take(MIB))
    with program.backward():
        passed = program.take(rows * passing or 1)
        program.give(passed, made)
    with program.optimizer():
        if update:
            program.give(program.take(update))
    program.period()
    return program.record(inputs=inputs((rows, *rest)), workspace_sizes=(workspace or 1,))


def estimates(*steps: WatchedStep, available: int = AVAILABLE) -> list[Room | None]:
    """The estimate after each of these steps."""
    estimate, made = RoomEstimate(), []
    for each in steps:
        estimate.add(each, report(each, 0).peak.bytes, available)
        made.append(estimate.room)
    return made


def test_from_two_shapes_the_slope_of_the_peak_is_measured() -> None:
    *_, found = estimates(step(12, 16), step(8, 16))
    row = ROW + PASSING
    assert found == Room(
        inputs=inputs((12, 16)), rows=12, most_rows=FITTING,
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
        inputs=inputs((8, 16)), rows=8, most_rows=FITTING,
        bytes_per_row=row, by="proportion", fewer_rows=None, available=AVAILABLE,
    )  # fmt: skip


def test_a_peak_in_the_update_does_not_hide_what_grows() -> None:
    # The update's temporaries are the peak, and stay as they are; forward overtakes them.
    (found,) = estimates(step(8, update=UPDATE))
    assert found is not None
    assert found.most_rows == FITTING
    # Two shapes with one peak have a slope all the same.
    *_, found = estimates(step(4, update=UPDATE), step(8, update=UPDATE))
    assert found is not None
    assert (found.by, found.rows, found.fewer_rows) == ("slope", 8, 4)
    assert found.most_rows == FITTING


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
    assert first.most_rows == FITTING
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


def test_a_programs_first_step_which_makes_what_stays_is_no_basis() -> None:
    program = FakeProgram()
    plain_period(program)
    program.period()
    with program.call():
        program.take(MIB)
    program.period()
    assert estimates(program.record(inputs=inputs((8,)))) == [None]


def test_a_workspace_is_not_available_and_does_not_grow() -> None:
    (found,) = estimates(step(8, workspace=8 * ROW))
    assert found is not None
    assert found.most_rows == (AVAILABLE - WEIGHT - 8 * ROW) // (ROW + PASSING)


def test_what_the_allocator_rounds_up_takes_its_part() -> None:
    # A block of 10 MiB and some is given 12 MiB.
    (found,) = estimates(step(1, row=10 * MIB + 1, passing=0), available=WEIGHT + 23 * MIB)
    assert found is not None
    assert found.most_rows == 1
    (found,) = estimates(step(1, row=10 * MIB, passing=0), available=WEIGHT + 23 * MIB)
    assert found is not None
    assert found.most_rows == 2


def test_two_steps_that_ask_for_other_things_have_no_common_slope() -> None:
    *_, found = estimates(step(8, extra=True), step(12))
    assert found is not None
    assert (found.by, found.fewer_rows, found.most_rows) == ("proportion", None, FITTING)


def test_what_grew_with_the_square_of_the_rows_goes_on_so() -> None:
    # As the similarities of all pairs of rows do.
    few, more = (step(rows, row=rows * MIB, passing=0) for rows in (20, 30))
    *_, found = estimates(few, more)
    assert found is not None
    assert (found.by, found.most_rows) == ("slope", 63)
    assert found.most_rows**2 <= (AVAILABLE - WEIGHT) // MIB < (found.most_rows + 1) ** 2


def test_without_more_or_less_memory_the_estimate_stays_and_is_made_anew_with_it() -> None:
    estimate, known = RoomEstimate(), step(8)
    peak = report(known, 0).peak.bytes
    estimate.add(known, peak, None)
    assert estimate.room is None  # nobody knows how much there is
    estimate.add(known, peak, AVAILABLE)
    first = estimate.room
    estimate.add(known, peak, AVAILABLE - 1)
    assert estimate.room == first
    estimate.add(known, peak, AVAILABLE - 1000 * MIB)
    assert first is not None
    assert estimate.room is not None
    assert estimate.room.most_rows == (AVAILABLE - 1000 * MIB - WEIGHT) // (ROW + PASSING)
