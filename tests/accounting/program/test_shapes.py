"""Watched steps are folded into a row a shape, new peaks, and what evaluations leave."""

from __future__ import annotations

from fake import FakeProgram, second_period
from msgspec.structs import replace
from vramtop.accounting.program.shapes import MOST_PEAKS, MOST_SHAPES, Seen, seen
from vramtop.protocol.observed.record import Input, Kind
from vramtop.protocol.observed.report import StepReport
from vramtop.protocol.observed.shapes import LeftBehind, NewPeak, Shape

OLD = 1000


def inputs(*shape: int) -> tuple[Input, ...]:
    return (Input("float32", shape),)


def step(size: int, *shape: int, kind: Kind = "training", old: int = OLD) -> StepReport:
    """A step that makes one block of this size and releases it; `old` bytes are nobody's."""
    program = FakeProgram(kind)
    program.hold(old)
    with second_period(program):
        with program.call():
            made = program.take(size)
        with program.backward():
            program.give(made)
    return program.report(inputs=inputs(*shape))


def after(*steps: tuple[StepReport, float, int | None]) -> Seen:
    found = Seen()
    for each in steps:
        found = seen(found, *each)
    return found


def test_each_kind_and_shape_has_a_row_with_the_highest_peak_first() -> None:
    found = after(
        (step(100, 8, 16), 0.3, 3),
        (step(400, 8, 64), 0.9, 20),
        (step(120, 8, 16), 0.2, 40),
        (step(90, 8, 16, kind="inference"), 0.1, 50),
        (step(110, 8, 16), 0.4, 60),
    )
    assert found.shapes.seen == (
        Shape(
            kind="training", inputs=inputs(8, 64), watched=1, peak=OLD + 400,
            latest_peak=OLD + 400, seconds=0.9, first_step=20, peak_step=20,
        ),
        Shape(
            kind="training", inputs=inputs(8, 16), watched=3, peak=OLD + 120,
            latest_peak=OLD + 110, seconds=0.2, first_step=3, peak_step=40,
        ),
        Shape(
            kind="inference", inputs=inputs(8, 16), watched=1, peak=OLD + 90,
            latest_peak=OLD + 90, seconds=0.1, first_step=50, peak_step=50,
        ),
    )  # fmt: skip
    assert found.shapes.unlisted == 0


def test_a_new_peak_has_its_shape_and_step_and_one_of_the_same_shape_takes_its_place() -> None:
    found = after(
        (step(100, 8, 16), 0.1, 3),
        (step(101, 8, 16), 0.1, 9),
        (step(300, 8, 64), 0.1, 120),
        (step(200, 8, 32), 0.1, 130),
        (step(300, 8, 64), 0.1, 140),
    )
    assert found.shapes.peaks == (
        NewPeak(kind="training", inputs=inputs(8, 16), bytes=OLD + 101, step=9),
        NewPeak(kind="training", inputs=inputs(8, 64), bytes=OLD + 300, step=120),
    )


def test_where_nobody_counts_steps_they_have_no_number() -> None:
    (row,) = after((step(100, 8, kind="inference"), 0.1, None)).shapes.seen
    assert (row.first_step, row.peak_step) == (None, None)


def test_of_too_many_shapes_the_highest_peaks_stay_and_all_steps_are_counted() -> None:
    more = 10
    lengths = [*range(1, MOST_SHAPES + more + 1), 1]
    found = after(*((step(length, 8, length), 0.1, at) for at, length in enumerate(lengths)))
    assert [row.peak - OLD for row in found.shapes.seen] == [
        *range(MOST_SHAPES + more, more, -1),
    ]  # fmt: skip
    watched = sum(row.watched for row in found.shapes.seen)
    assert (watched, found.shapes.unlisted) == (MOST_SHAPES, more + 1)
    assert len(found.shapes.peaks) == MOST_PEAKS
    assert found.shapes.peaks[-1].inputs == inputs(8, MOST_SHAPES + more)


def test_what_evaluation_leaves_is_what_other_grew_by_between_two_training_steps() -> None:
    trained = (step(100, 8), 0.1, 3)
    evaluated = (step(50, 4, kind="inference", old=OLD + 7), 0.1, 3)
    found = after(trained, evaluated)
    assert found.shapes.left_behind is None
    found = seen(found, *evaluated)
    found = seen(found, step(100, 8, old=OLD + 64), 0.1, 4)
    assert found.shapes.left_behind == LeftBehind(measured=1, bytes=64, latest=64)
    # What training itself keeps later is not evaluation's.
    found = seen(found, step(100, 8, old=OLD + 128), 0.1, 5)
    assert found.shapes.left_behind == LeftBehind(measured=1, bytes=64, latest=64)
    found = seen(found, *evaluated)
    found = seen(found, step(100, 8, old=OLD + 120), 0.1, 6)
    assert found.shapes.left_behind == LeftBehind(measured=2, bytes=56, latest=-8)


def test_an_evaluation_before_all_training_is_compared_with_nothing() -> None:
    found = after((step(50, 4, kind="inference"), 0.1, 0), (step(100, 8, old=OLD + 64), 0.1, 3))
    assert found.shapes.left_behind is None
    assert replace(found, shapes=Seen().shapes) == Seen(other=OLD + 64)


def test_where_memory_of_nobody_is_not_seen_nothing_is_said_of_what_evaluation_leaves() -> None:
    steps = [step(100, 8), step(50, 4, kind="inference"), step(100, 8)]
    found = after(*((replace(each, allocator=None), 0.1, 3) for each in steps))
    assert found.shapes.left_behind is None
