"""Workspaces of libraries: of an exact size, older than the step, and of no tensor."""

from __future__ import annotations

from fake import ELSEWHERE, A, B, FakeProgram, category_of, second_period

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
    program.period()
    program.take(WORKSPACE)
    program.period()
    program.give(older)
    with program.call():
        program.take(B)
    program.period()
    step = program.record(workspace_sizes=(A, B))
    assert category_of(step, A) == "other"
    assert category_of(step, B) == "temporaries"


def test_a_workspace_that_the_first_step_of_a_program_makes_is_not_of_its_peak() -> None:
    program = FakeProgram()
    weight = program.hold(A)
    with second_period(program):
        program.see("parameters", weight)
        with program.call():
            program.give(program.take(B))
            program.take(WORKSPACE)
            output = program.take(WORKSPACE)
    reported = program.report(workspace_sizes=(WORKSPACE,), tensors=(output,))
    assert reported.allocator is not None
    assert reported.allocator.workspace == WORKSPACE
    assert reported.allocator.requested_peak == A + 2 * WORKSPACE
    assert reported.unattributed == 0
    assert reported.peak.bytes == A + WORKSPACE
    assert len(reported.curve) == 5
