"""What a program loads, and what goes into its calls, is batch data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fake import A, B, C, D, E, FakeProgram, category_of, nothing_in, plain_period, second_period

UNIMPORTANT = 1 << 30


def test_what_load_makes_before_a_call_is_batch_data() -> None:
    program = FakeProgram()
    with second_period(program):
        inputs, _targets = program.take(A), program.take(B)
        program.give(program.take(C))  # an update by hand, or pixels before they are scaled
        nothing_in(program.call(inputs))
        nothing_in(program.backward())
        nothing_in(program.optimizer())
        program.take(D)  # no call follows
    step = program.record()
    assert category_of(step, A) == "batch_data"
    assert category_of(step, B) == "batch_data"
    assert category_of(step, C) == "temporaries"
    assert category_of(step, D) == "temporaries"


def test_what_load_makes_after_the_last_call_of_a_period_is_not_batch_data() -> None:
    program = FakeProgram()
    plain_period(program)
    late = program.take(A)
    program.period()
    with program.call():
        program.give(late)
    program.period()
    assert category_of(program.record(), A) == "temporaries"


def test_a_batch_loaded_before_an_optimizer_that_calls_is_batch_data() -> None:
    program = FakeProgram()
    with second_period(program):
        program.take(A)
        with program.optimizer():
            program.take(B)
            nothing_in(program.call(program.take(C)))
            nothing_in(program.backward())
    step = program.record()
    assert category_of(step, A) == "batch_data"
    assert category_of(step, B) == "temporaries"
    assert category_of(step, C) == "batch_data"  # it was seen to go into the call


def test_what_forward_made_and_passes_on_is_not_batch_data() -> None:
    """A generator's picture goes into the discriminator."""
    program = FakeProgram()
    with second_period(program):
        with program.call(program.take(A)):
            picture = program.take(B)
        both = program.take(C)
        nothing_in(program.call(picture))
        nothing_in(program.call(both))
        nothing_in(program.backward())
    step = program.record()
    assert category_of(step, B) == "activations"
    assert category_of(step, C) == "batch_data"  # made between the calls, as real pictures are


def fetch_ahead(program: FakeProgram, inputs: int, sizes: tuple[int, int, int], line: str):
    """A period as nanoGPT's: the next batch is fetched between the call and its backward."""
    program.period()
    with program.call(inputs):
        program.take(sizes[0] << 10, line)
    loss = program.take(sizes[0], "train.py:30")
    following = program.take(sizes[1], line), program.take(sizes[2], line)
    program.give(program.take(sizes[0] << 20, line))
    nothing_in(program.backward())
    program.give(loss)
    nothing_in(program.optimizer())
    return following


def test_a_batch_fetched_ahead_is_batch_data_and_the_loss_is_not() -> None:
    program = FakeProgram()
    held = program.hold(UNIMPORTANT)
    inputs, targets = fetch_ahead(program, held, (1, 2, 4), "train.py:7")
    fetch_ahead(program, inputs, (8, 16, 32), "train.py:7")
    program.give(inputs, targets)
    program.period()
    step = program.record()
    assert category_of(step, 2) == "batch_data"  # went into the second call
    assert category_of(step, 4) == "batch_data"  # its targets, of the same line
    assert category_of(step, 16) == "batch_data"  # will go into the third, of the same line
    assert category_of(step, 32) == "batch_data"
    assert category_of(step, 8) == "activations"
    assert category_of(step, 8 << 10) == "activations"  # of the same line too, but inside the call
    assert category_of(step, 8 << 20) == "temporaries"  # it awaited no call


def test_lines_that_are_not_known_are_not_the_same() -> None:
    program = FakeProgram()
    held = program.hold(UNIMPORTANT)
    inputs, targets = fetch_ahead(program, held, (1, 2, 4), "")
    fetch_ahead(program, inputs, (8, 16, 32), "")
    program.give(inputs, targets)
    program.period()
    assert category_of(program.record(), 2) == "batch_data"
    assert category_of(program.record(), 16) == "activations"


LINE, LOSS = "train.py:7", B


@contextmanager
def before_the_loss(program: FakeProgram) -> Iterator[None]:
    """What the second period does before its loss, which the line makes too."""
    with second_period(program):
        yield
        program.take(LOSS, LINE)
        nothing_in(program.backward())


def test_a_line_that_loads_and_computes_the_loss_does_not_make_the_loss_a_batch() -> None:
    """As in `loss = criterion(model(x.cuda()), y)`."""
    program = FakeProgram()
    with before_the_loss(program):
        nothing_in(program.call(program.take(A, LINE)))
    assert category_of(program.record(), A) == "batch_data"
    assert category_of(program.record(), LOSS) == "activations"


def test_a_line_whose_result_goes_from_call_to_call_does_not_make_the_loss_a_batch() -> None:
    program = FakeProgram()
    with before_the_loss(program):
        with program.call():
            picture = program.take(A, LINE)
        nothing_in(program.call(picture))
    assert category_of(program.record(), LOSS) == "activations"


def test_a_line_that_makes_a_parameter_beside_the_loss_does_not_make_it_a_batch() -> None:
    program = FakeProgram()
    with before_the_loss(program):
        nothing_in(program.call())
        program.see("parameters", program.take(A, LINE))
    assert category_of(program.record(), LOSS) == "activations"


def test_an_accumulated_batch_is_batch_data() -> None:
    program = FakeProgram()
    with second_period(program):
        for size in (A, B):
            program.take(size)
            nothing_in(program.call())
            nothing_in(program.backward())
    assert category_of(program.record(), B) == "batch_data"


def test_older_memory_is_a_batch_only_while_it_goes_into_calls() -> None:
    """Of three batches kept on the device, two take part in the two periods."""
    program = FakeProgram()
    first, second = program.hold(A), program.hold(B)
    passing = program.hold(E)
    program.hold(C)
    loaded = program.hold(D)
    program.period()
    with program.call(first, passing):
        program.give(program.take(UNIMPORTANT))
        program.see("batch_data", first)  # an argument by keyword is seen as the call ends
    program.period()
    program.give(passing)
    nothing_in(program.call(second, loaded))
    program.give(loaded)
    program.period()
    step = program.record()
    assert category_of(step, A) == "other"
    assert category_of(step, B) == "batch_data"
    assert category_of(step, C) == "other"
    assert category_of(step, D) == "batch_data"
    assert category_of(step, E) == "batch_data"  # until its variable holds the next


def test_what_is_made_after_a_part_of_the_next_calls_batch_belongs_to_it() -> None:
    program = FakeProgram()
    with second_period(program):
        with program.call():  # a validation, say
            pass
        loss = program.take(A)
        inputs, _targets, passing = program.take(B), program.take(C), program.take(D)
        program.give(passing)
        nothing_in(program.call(inputs))
        with program.backward():
            program.give(loss)
        nothing_in(program.optimizer())
    step = program.record()
    assert category_of(step, A) == "activations"
    assert category_of(step, B) == "batch_data"
    assert category_of(step, C) == "batch_data"
    assert category_of(step, D) == "temporaries"
