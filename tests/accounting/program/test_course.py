"""What a step asks the allocator for: what the one before has left, what grows, what is added."""

from __future__ import annotations

from fake import FLOAT, FakeProgram
from vramtop.accounting.program.course import Course, course_of
from vramtop.accounting.program.fitting import Scaling, fits
from vramtop.accounting.reductions import sum_buffers
from vramtop.protocol.observed.record import Input

MIB = 2**20
ROWS = 8
INPUTS = (Input("float32", (ROWS, 16)),)
WEIGHT, BATCH, MADE, STATE, GRADIENT = 1000, 10 * ROWS, 30 * ROWS, 2000, 1016


def course(program: FakeProgram, **changed: object) -> Course:
    found = course_of(program.record(inputs=INPUTS, **changed))
    assert found is not None
    return found


def trained() -> FakeProgram:
    """Two steps, each of which releases the batch and the gradient of the one before."""
    program = FakeProgram()
    weight, state = program.hold(WEIGHT), program.hold(STATE)
    batch, gradient = program.hold(BATCH), program.hold(GRADIENT)
    for _ in range(2):
        program.period()
        program.see("parameters", weight)
        program.see("optimizer_state", state, key="exp_avg")
        program.see("gradients", gradient)
        before, batch = batch, program.take(BATCH)
        program.give(before)
        with program.call(batch):
            made = program.take(MADE)
        program.give(gradient)
        with program.backward():
            gradient = program.take(GRADIENT)
            program.give(made)
        program.see("gradients", gradient)
        with program.optimizer():
            program.give(program.take(GRADIENT))
    program.period()
    return program


def test_what_a_step_releases_of_the_one_before_it_makes_anew() -> None:
    found = course(trained())
    assert found.made == 4
    batch, made, gradient, update = range(4)
    assert found.sizes[:4] == (BATCH, MADE, GRADIENT, GRADIENT)
    assert found.events == (batch, ~batch, made, ~gradient, gradient, ~made, update, ~update)
    assert found.releases_older == {1, 3}
    # The most is held in the update, which makes a copy of the gradient.
    assert found.requested(found.sizes) == WEIGHT + STATE + BATCH + 2 * GRADIENT


def test_the_first_step_makes_the_optimizers_state() -> None:
    found = course(trained())
    sizes = {
        place: [found.sizes[block] for block in blocks] for place, blocks in found.before.items()
    }
    assert sizes == {0: [WEIGHT], 6: [STATE]}


def test_what_belongs_to_the_batch_grows_and_nothing_else() -> None:
    found = course(trained())
    assert [size for size, grows in zip(found.sizes, found.grows, strict=True) if grows] == [
        BATCH, MADE,
    ]  # fmt: skip
    doubled = Scaling(found).sizes(2 * ROWS)
    assert doubled[:4] == [2 * BATCH, 2 * MADE, GRADIENT, GRADIENT]


def test_a_batch_for_all_steps_grows_and_a_data_set_of_which_batches_are_parts_does_not() -> None:
    for view in (False, True):
        program = FakeProgram()
        data = program.hold(4096)
        for _ in range(2):
            program.period()
            program.see("batch_data", data, "inputs[0]", view=view)
            with program.call():
                made = program.take(MADE)
            with program.backward():
                program.give(made)
        program.period()
        found = course(program)
        assert found.grows[found.sizes.index(4096)] is not view


def test_the_copy_of_a_parameter_stays_as_it_is() -> None:
    program = FakeProgram()
    weight = program.hold(4 * 101)
    for _ in range(2):
        program.period()
        program.see("parameters", weight)
        with program.call():
            half, made = program.take(2 * 101), program.take(2 * 808)
        with program.backward():
            program.give(half, made)
    program.period()
    found = course(program)
    assert [found.grows[found.sizes.index(size)] for size in (2 * 101, 2 * 808)] == [False, True]


def linear(columns: int, *, buffer: int = 0) -> Course:
    """The gradient of a bias is made from what backward has made for each row."""
    program = FakeProgram()
    program.hold(WEIGHT)
    for _ in range(2):
        program.period()
        with program.call():
            made = program.take(ROWS * columns * FLOAT)
        with program.backward():
            gradient = program.take(ROWS * columns * FLOAT)
            program.give(made)
            bias = program.take(columns * FLOAT)
            if buffer:
                program.give(program.take(buffer))
            program.give(gradient)
        program.see("gradients", bias, "bias", (columns,))
        program.give(bias)
    program.period()
    return course(program)


def test_with_more_rows_the_gradient_of_a_bias_takes_a_buffer() -> None:
    columns, rows = 512, 8192
    found = linear(columns)
    (summed,) = found.sums.values()
    assert summed == (ROWS, columns)
    buffers = sum(sum_buffers(rows, columns))
    assert buffers > 16 * MIB
    tensors = 2 * rows * columns * FLOAT
    scaling = Scaling(found)
    assert fits(scaling, rows, tensors + buffers + 22 * MIB)
    assert not fits(scaling, rows, tensors + 16 * MIB)


def test_a_buffer_that_was_seen_is_not_added_again() -> None:
    assert linear(512, buffer=4096).sums == {}
