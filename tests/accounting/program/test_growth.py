"""What grows from step to step is told with its rate, its lines and its holders, and only then."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from fake import FakeProgram, nothing_in
from vramtop.accounting.program.growth import Growing
from vramtop.accounting.program.report import report
from vramtop.protocol.observed.pools import Level
from vramtop.protocol.observed.record import Hardware
from vramtop.protocol.observed.report import Growth, Held

LOSS = 40
CARD = Hardware("a card", "", 100_000)


def watched(
    growing: Growing, step: int, older: int, kept: int = LOSS, *, name: str = ""
) -> Growth | None:
    """Step number `step`: it began with `older` bytes, and keeps something that it made."""
    program = FakeProgram()
    place = program.hold(older) if older else 0
    for _ in range(2):
        program.period()
        with program.call():
            program.give(program.take(500))
        if kept:
            program.take(kept, "train.py:14")
        with program.backward():
            pass
        with program.optimizer():
            pass
    program.period()
    record = program.record(hardware=CARD)
    reported = report(record, step, {place: name} if name else {})
    growing.add(reported)
    return growing.growth(record, reported)


def after(steps: Sequence[tuple[int, int]], kept: int = LOSS) -> Growth | None:
    growing = Growing()
    *_, last = [watched(growing, step, older, kept) for step, older in steps]
    return last


def leaking(*steps: int) -> list[tuple[int, int]]:
    """Steps that began with what all before them have left, two of which are recorded anew."""
    return [(step, 1000 + LOSS * (step - 2)) for step in steps]


def test_what_each_step_leaves_behind_is_told_by_its_rate_from_the_fourth_watched_step_on() -> None:
    assert after(leaking(10, 50, 80)) is None
    growth = after(leaking(10, 50, 80, 110))
    assert growth is not None
    # The last step's own loss is no older than the step, so it is not in *other* yet.
    before, now = 1000 + LOSS * 9, 1000 + LOSS * 109
    assert (growth.category, growth.since, growth.until) == ("other", 10, 110)
    assert (growth.before, growth.bytes, growth.bytes_a_step) == (before, now, LOSS)


def test_the_steps_left_are_those_until_a_steps_peak_is_as_large_as_the_card() -> None:
    growth = after(leaking(10, 50, 80, 110))
    assert growth is not None
    peak = 1000 + LOSS * 109 + 500
    assert growth.steps_left == (CARD.total_bytes - peak) // LOSS


def test_the_line_that_makes_it_and_the_holder_are_told() -> None:
    growing = Growing()
    for step, older in leaking(10, 50, 80):
        watched(growing, step, older)
    growth = watched(growing, 110, 1000 + LOSS * 108, name="history in train.py")
    assert growth is not None
    assert growth.kept == (Held(LOSS, 1, "kept since the step before", "train.py:14"),)
    assert growth.held == (Held(1000 + LOSS * 108, 1, "history in train.py", ""),)


@pytest.mark.parametrize(
    "older",
    [
        [1000] * 20,
        [1000, 1000, 1000, 1100, 1200],  # twice more is no trend
        [1000, 1100, 1200, 1300, 1100],  # it was released
        [1000 + 100 * n for n in range(6)] + [1500] * 12,  # a buffer that was filled
    ],
)
def test_what_stays_or_falls_again_or_was_filled_does_not_grow(older: list[int]) -> None:
    assert after(list(enumerate(older, start=10)), kept=0) is None


def test_what_has_fallen_counts_from_its_lowest_point_on() -> None:
    older = [5000, 5000, 1000, 1100, 1200, 1300]
    growth = after(list(enumerate(older, start=10)), kept=0)
    assert growth is not None
    assert (growth.since, growth.before, growth.bytes) == (12, 1000, 1300)


def rising(growing: Growing, each: int, first: int = 4) -> None:
    """Levels of 120 steps that rise by this many bytes a step."""
    for step in range(first, first + 120, 10):
        growing.hear(Level("cuda:0", step, 7000 + each * step))


def test_levels_that_rise_and_one_watched_step_that_leaves_most_of_it_are_enough() -> None:
    growing = Growing()
    assert watched(growing, 3, 1000, name="history in train.py") is None
    rising(growing, 2 * LOSS + 1)
    assert watched(growing, 124, 1000) is None  # it leaves less than half
    growing = Growing()
    rising(growing, 2 * LOSS)
    growth = watched(growing, 3, 1000, name="history in train.py")
    assert growth is not None
    assert (growth.category, growth.since, growth.until) == (None, 4, 114)
    assert (growth.before, growth.bytes) == (7000 + 4 * 2 * LOSS, 7000 + 114 * 2 * LOSS)
    assert growth.kept[0].line == "train.py:14"
    assert growth.held == (Held(1000, 1, "history in train.py", ""),)
    # The step's peak has grown since it was watched.
    peak = 1000 + LOSS + 500
    assert growth.steps_left == (CARD.total_bytes - peak) // (2 * LOSS) - (114 - 3)


def test_levels_that_rise_and_two_watched_steps_tell_the_category() -> None:
    growing = Growing()
    watched(growing, 3, 1000, kept=0)
    rising(growing, LOSS)
    growth = watched(growing, 123, 1000 + 60 * LOSS, kept=0)
    assert growth is not None
    assert (growth.category, growth.before, growth.bytes) == ("other", 1000, 1000 + 60 * LOSS)
    assert watched(growing, 124, 1000 + 60 * LOSS, kept=0) is None


def test_two_watched_steps_near_each_other_leave_the_rate_to_the_levels() -> None:
    growing = Growing()
    watched(growing, 3, 1000, kept=0)
    rising(growing, LOSS)
    growth = watched(growing, 57, 1000 + 53 * LOSS, kept=0)
    assert growth is not None
    assert (growth.category, growth.since, growth.until) == (None, 4, 114)


def test_batches_that_grow_are_no_leak_whatever_the_levels_say() -> None:
    growing = Growing()
    watched(growing, 3, 1000, kept=0)
    rising(growing, LOSS)
    assert watched(growing, 123, 1000 + 59 * LOSS, kept=0) is None


def test_a_batch_that_steps_keep_and_use_again_counts_as_left_behind() -> None:
    def left(*, again: bool) -> int:
        program = FakeProgram()
        batch = 0
        for number in range(2):
            program.period()
            if number == 0:
                batch = program.take(LOSS)
            with program.call(*([batch] if number or again else [])):
                program.give(program.take(500))
            nothing_in(program.backward())
            nothing_in(program.optimizer())
        program.period()
        return sum(each.bytes for each in program.report().left_behind)

    assert left(again=True) == LOSS
    assert left(again=False) == 0  # it was fetched ahead


def test_where_the_allocator_does_not_tell_all_nothing_is_said() -> None:
    growing = Growing()
    for step, older in leaking(10, 50, 80, 110):
        program = FakeProgram()
        program.hold(older)
        for _ in range(3):
            program.period()
        record = program.record()
        reported = msgspec.structs.replace(report(record, step), allocator=None)
        growing.add(reported)
        assert growing.growth(record, reported) is None


def test_a_program_whose_steps_are_counted_anew_begins_anew() -> None:
    growing = Growing()
    *_, last = [watched(growing, *each) for each in leaking(10, 50, 80, 110)]
    assert last is not None
    assert watched(growing, 3, 9000) is None


def test_of_several_categories_the_one_that_has_grown_most_is_told() -> None:
    growing, growth = Growing(), None
    for number in range(5):
        program = FakeProgram()
        buffer, _ = program.hold(1000 + 300 * number), program.hold(1000 + 100 * number)
        for _ in range(2):
            program.period()
            with program.call():
                program.give(program.take(500))
            with program.backward():
                pass
            with program.optimizer():
                pass
        program.see("parameters", buffer, "cache")
        program.period()
        record = program.record()
        reported = report(record, 10 + number)
        growing.add(reported)
        growth = growing.growth(record, reported)
    assert growth is not None
    assert (growth.category, growth.before, growth.bytes) == ("parameters", 1000, 2200)
    assert (growth.steps_left, growth.kept, growth.held) == (None, (), ())
