"""Whose memory is: a small program for each rule. Each block has a bit of its own as its size."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations

import pytest
from fake import BLOCK, ELSEWHERE, FakeProgram, category_of
from vramtop.protocol.observed.record import Owner

A, B, C, D, E = (1 << bit for bit in range(5))
UNIMPORTANT = 1 << 30


def plain_period(program: FakeProgram) -> None:
    """A period in which nothing is allocated."""
    program.period()
    with program.call():
        pass
    with program.backward():
        pass
    with program.optimizer():
        pass


@contextmanager
def second_period(program: FakeProgram) -> Iterator[None]:
    """The period that counts, between one in which nothing happens and the end."""
    plain_period(program)
    program.period()
    yield
    program.period()


# ---- sightings --------------------------------------------------------------------------------

HOLDERS: tuple[Owner, ...] = ("parameters", "optimizer_state", "gradients", "batch_data")


@pytest.mark.parametrize("owner", HOLDERS)
def test_older_memory_is_its_owners(owner: Owner) -> None:
    program = FakeProgram()
    held, nobodys = program.hold(A), program.hold(B)
    with second_period(program), program.call():
        program.see(owner, held)
    assert nobodys != held
    step = program.record()
    assert category_of(step, A) == owner
    assert category_of(step, B) == "other"


@pytest.mark.parametrize(("first", "second"), combinations(HOLDERS, 2))
def test_of_several_owners_the_first_in_order_has_it(first: Owner, second: Owner) -> None:
    program = FakeProgram()
    held, alike = program.hold(A), program.hold(B)
    with second_period(program):
        program.see(second, held)
        program.see(first, held)
        program.see(first, alike)
        program.see(second, alike)
    assert category_of(program.record(), A) == first
    assert category_of(program.record(), B) == first


def test_a_sighting_holds_from_birth_to_release_and_not_for_the_next_block() -> None:
    program = FakeProgram()
    with second_period(program):
        with program.call():
            pass
        with program.backward():
            address = program.take(A)
            program.take(UNIMPORTANT)
            program.see("gradients", address)
            program.give(address)
            assert program.take(B) == address
    assert category_of(program.record(), A) == "gradients"
    assert category_of(program.record(), B) == "temporaries"


def test_a_sighting_in_the_middle_of_a_block_is_of_the_block() -> None:
    program = FakeProgram()
    bucket = program.hold(BLOCK)
    with second_period(program):
        program.see("gradients", bucket + 512)
    assert category_of(program.record(), BLOCK) == "gradients"


def test_memory_outside_the_caching_allocator_is_ignored() -> None:
    program = FakeProgram()
    program.hold(A)
    with second_period(program):
        program.see("parameters", ELSEWHERE)
        program.see("parameters", 1 << 40)
    assert category_of(program.record(), A) == "other"
    assert program.report().high_water.total == A


def test_what_forward_or_backward_made_is_its_owners_too() -> None:
    program = FakeProgram()
    with second_period(program):
        with program.call():
            buffer = program.take(A)
        with program.backward():
            gradient = program.take(B)
        with program.optimizer():
            state = program.take(C)
        program.see("parameters", buffer)
        program.see("gradients", gradient)
        program.see("optimizer_state", state, key="exp_avg")
    step = program.record()
    assert category_of(step, A) == "parameters"
    assert category_of(step, B) == "gradients"
    assert category_of(step, C) == "optimizer_state"


def test_state_made_by_an_optimizer_inside_backward_is_state() -> None:
    program = FakeProgram()
    with second_period(program):
        with program.call():
            pass
        with program.backward(), program.optimizer():
            program.see("optimizer_state", program.take(A))
            program.take(B)
    assert category_of(program.record(), A) == "optimizer_state"
    assert category_of(program.record(), B) == "temporaries"


# ---- batch data -------------------------------------------------------------------------------


def test_what_load_makes_before_a_call_is_batch_data() -> None:
    program = FakeProgram()
    with second_period(program):
        inputs, _targets = program.take(A), program.take(B)
        program.give(program.take(C))  # an update by hand, or pixels before they are scaled
        with program.call(inputs):
            pass
        with program.backward():
            pass
        with program.optimizer():
            pass
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
            with program.call(program.take(C)):
                pass
            with program.backward():
                pass
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
        with program.call(picture):
            pass
        with program.call(both):
            pass
        with program.backward():
            pass
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
    with program.backward():
        pass
    program.give(loss)
    with program.optimizer():
        pass
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


def test_a_line_that_loads_and_computes_the_loss_does_not_make_the_loss_a_batch() -> None:
    """As in `loss = criterion(model(x.cuda()), y)`."""
    program = FakeProgram()
    with second_period(program):
        with program.call(program.take(A, "train.py:7")):
            pass
        program.take(B, "train.py:7")
        with program.backward():
            pass
    assert category_of(program.record(), A) == "batch_data"
    assert category_of(program.record(), B) == "activations"


def test_a_line_whose_result_goes_from_call_to_call_does_not_make_the_loss_a_batch() -> None:
    program = FakeProgram()
    with second_period(program):
        with program.call():
            picture = program.take(A, "train.py:7")
        with program.call(picture):
            pass
        program.take(B, "train.py:7")
        with program.backward():
            pass
    assert category_of(program.record(), B) == "activations"


def test_a_line_that_makes_a_parameter_beside_the_loss_does_not_make_it_a_batch() -> None:
    program = FakeProgram()
    with second_period(program):
        with program.call():
            pass
        program.see("parameters", program.take(A, "train.py:7"))
        program.take(B, "train.py:7")
        with program.backward():
            pass
    assert category_of(program.record(), B) == "activations"


def test_an_accumulated_batch_is_batch_data() -> None:
    program = FakeProgram()
    with second_period(program):
        for size in (A, B):
            program.take(size)
            with program.call():
                pass
            with program.backward():
                pass
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
    with program.call(second, loaded):
        pass
    program.give(loaded)
    program.period()
    step = program.record()
    assert category_of(step, A) == "other"
    assert category_of(step, B) == "batch_data"
    assert category_of(step, C) == "other"
    assert category_of(step, D) == "batch_data"
    assert category_of(step, E) == "batch_data"  # until its variable holds the next


# ---- activations and temporaries --------------------------------------------------------------


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
        with program.call():
            pass
        with program.backward():
            pass
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
    with program.optimizer():
        pass
    program.period()
    with program.call():
        if not keep:
            program.give(batch, output, left)
    with program.backward():
        pass
    with program.optimizer():
        pass
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


# ---- workspaces -------------------------------------------------------------------------------

WORKSPACE = 1 << 10


def test_a_workspace_is_older_kept_of_exact_size_and_no_tensors() -> None:
    program = FakeProgram()
    program.hold(WORKSPACE)
    program.hold(A)
    program.period()
    with program.call():
        program.take(WORKSPACE << 1)  # of a handle that the first period made
    program.period()
    program.period()
    sizes = (WORKSPACE, WORKSPACE << 1)
    step = program.record(workspace_sizes=sizes)
    assert category_of(step, WORKSPACE) == "workspace"
    assert category_of(step, WORKSPACE << 1) == "workspace"
    assert category_of(step, A) == "other"
    assert program.report(workspace_sizes=sizes).allocator.workspace == 3 * WORKSPACE


def test_a_tensor_of_a_workspaces_size_is_none() -> None:
    program = FakeProgram()
    tensor = program.hold(WORKSPACE)
    with second_period(program):
        pass
    for address in (tensor, tensor + 8):
        step = program.record(workspace_sizes=(WORKSPACE,), tensors=(address, ELSEWHERE))
        assert category_of(step, WORKSPACE) == "other"


def test_owned_memory_of_a_workspaces_size_is_its_owners() -> None:
    program = FakeProgram()
    weight = program.hold(WORKSPACE)
    with second_period(program):
        program.see("parameters", weight)
    step = program.record(workspace_sizes=(WORKSPACE,))
    assert category_of(step, WORKSPACE) == "parameters"


def test_what_is_released_or_made_by_the_step_is_no_workspace() -> None:
    program = FakeProgram()
    older = program.hold(A)
    with second_period(program):
        program.give(older)
        with program.call():
            program.take(B)
    step = program.record(workspace_sizes=(A, B))
    assert category_of(step, A) == "other"
    assert category_of(step, B) == "temporaries"


def test_what_is_made_after_a_part_of_the_next_calls_batch_belongs_to_it() -> None:
    program = FakeProgram()
    with second_period(program):
        with program.call():  # a validation, say
            pass
        loss = program.take(A)
        inputs, _targets, passing = program.take(B), program.take(C), program.take(D)
        program.give(passing)
        with program.call(inputs):
            pass
        with program.backward():
            program.give(loss)
        with program.optimizer():
            pass
    step = program.record()
    assert category_of(step, A) == "activations"
    assert category_of(step, B) == "batch_data"
    assert category_of(step, C) == "batch_data"
    assert category_of(step, D) == "temporaries"
