"""Activations and temporaries, and what is older than the step."""

from __future__ import annotations

from fake import A, B, C, D, E, FakeProgram, category_of, nothing_in, second_period


def test_activations_are_what_forward_made_and_backward_finds() -> None:
    program = FakeProgram()
    with second_period(program):
        with program.call():
            kept, passing = program.take(A), program.take(B)
            program.give(passing)
        loss, freed = program.take(C), program.take(D)
        program.give(freed)
        with program.backward():
            program.give(kept)
            program.give(program.take(E))
        program.give(loss)
    step = program.record()
    assert category_of(step, A) == "activations"
    assert category_of(step, B) == "temporaries"
    assert category_of(step, C) == "activations"
    assert category_of(step, D) == "temporaries"
    assert category_of(step, E) == "temporaries"


def test_what_is_computed_again_inside_backward_is_temporary() -> None:
    program = FakeProgram()
    with second_period(program):
        with program.call():
            checkpoint = program.take(A)
        with program.backward():
            with program.call(checkpoint):
                again = program.take(B)
            with program.backward():
                program.give(again)
    assert category_of(program.record(), A) == "activations"
    assert category_of(program.record(), B) == "temporaries"


def test_the_next_backward_decides_and_not_a_later_one() -> None:
    """What is made after one backward belongs to the next."""
    program = FakeProgram()
    with second_period(program):
        with program.call():
            kept = program.take(A)
        with program.backward():
            program.give(kept)
        with program.call():
            program.give(program.take(B))
            later = program.take(C)
        with program.backward():
            program.give(later)
    step = program.record()
    assert category_of(step, A) == "activations"
    assert category_of(step, B) == "temporaries"
    assert category_of(step, C) == "activations"


def test_what_is_released_as_backward_begins_is_an_activation() -> None:
    """The first event inside backward."""
    program = FakeProgram()
    with second_period(program):
        with program.call():
            kept = program.take(A)
        with program.backward():
            program.give(kept)
    assert category_of(program.record(), A) == "activations"


def test_clipping_and_updates_make_temporaries() -> None:
    program = FakeProgram()
    with second_period(program):
        nothing_in(program.call())
        nothing_in(program.backward())
        program.give(program.take(A))
        with program.optimizer():
            program.give(program.take(B))
    assert category_of(program.record(), A) == "temporaries"
    assert category_of(program.record(), B) == "temporaries"


def test_inference_has_no_activations_and_its_output_is_temporary() -> None:
    program = FakeProgram("inference")
    for size in (1, 8):
        program.period()
        with program.call(program.take(size)):
            program.give(program.take(2 * size))
            output = program.take(4 * size)
        if size == 1:
            program.give(output)
    program.period()
    step = program.record()
    assert category_of(step, 8) == "batch_data"
    assert category_of(step, 16) == "temporaries"
    assert category_of(step, 32) == "temporaries"


# ---- from one period into the next ------------------------------------------------------------


def two_periods(*, keep: bool) -> FakeProgram:
    """The first makes something in each phase; the second releases it, or never."""
    program = FakeProgram()
    program.period()
    batch = program.take(A, "train.py:7")
    with program.call(batch):
        output = program.take(B, "train.py:8")
    with program.backward():
        left = program.take(C, "train.py:9")
    nothing_in(program.optimizer())
    program.period()
    with program.call():
        if not keep:
            program.give(batch, output, left)
    nothing_in(program.backward())
    nothing_in(program.optimizer())
    program.period()
    return program


def test_what_the_second_period_releases_stays_what_it_was_in_the_first() -> None:
    step = two_periods(keep=False).record()
    assert category_of(step, A) == "batch_data"
    assert category_of(step, B) == "activations"
    assert category_of(step, C) == "temporaries"


def test_what_outlives_both_periods_is_other() -> None:
    step = two_periods(keep=True).record()
    for size in (A, B, C):
        assert category_of(step, size) == "other"


def test_what_the_second_period_makes_and_keeps_is_of_that_step() -> None:
    """It is too early to say that the program keeps it."""
    program = FakeProgram()
    with second_period(program):
        with program.call():
            program.take(A)
        with program.backward():
            program.take(B)
    assert category_of(program.record(), A) == "activations"
    assert category_of(program.record(), B) == "temporaries"


def test_what_was_there_before_both_periods_is_other_even_if_it_is_released() -> None:
    program = FakeProgram()
    leftover = program.hold(A)
    with second_period(program):
        program.give(leftover)
    assert category_of(program.record(), A) == "other"
