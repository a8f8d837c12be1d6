"""Memory that a parameter, a gradient, a state or a batch was seen in is theirs."""

from __future__ import annotations

from itertools import combinations

import pytest
from fake import BLOCK, ELSEWHERE, A, B, C, FakeProgram, category_of, nothing_in, second_period
from vramtop.protocol.observed.record import Owner

UNIMPORTANT = 1 << 30
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
        nothing_in(program.call())
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
        nothing_in(program.call())
        with program.backward(), program.optimizer():
            program.see("optimizer_state", program.take(A))
            program.take(B)
    assert category_of(program.record(), A) == "optimizer_state"
    assert category_of(program.record(), B) == "temporaries"
