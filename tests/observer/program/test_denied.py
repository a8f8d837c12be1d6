"""What is told of an out of memory at the throw: where it was, whose the bytes were, what was free.

The programs are those of `gpu_denials.py`, which count themselves.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from vramtop.accounting.program.autopsy import autopsy
from vramtop.accounting.program.report import report
from vramtop.protocol.observed.autopsy import Autopsy, Suggestion
from vramtop.protocol.observed.record import FromObserver, Input, Module, OutOfMemory, WatchedStep

if TYPE_CHECKING:
    from simulation import SimulatedGpu

MIB, GIB = 2**20, 2**30
PROGRAM = Path(__file__).parent / "gpu_denials.py"
SQUARE = 64 * MIB  # the first weight
LAST = 4 * 4096 * 16
WEIGHTS = SQUARE + LAST
HUGE = 64 * GIB

Told = Callable[[str], tuple[list[OutOfMemory], dict[str, Any]]]


@pytest.fixture(scope="module")
def told(simgpu: SimulatedGpu) -> Told:
    machine = simgpu.environment(total=3 * GIB, devices=1)
    scenes = json.loads(simgpu.run_file(PROGRAM, machine))

    def of(scene: str) -> tuple[list[OutOfMemory], dict[str, Any]]:
        counted = scenes[scene]
        assert counted["removed"] == []
        denied = msgspec.convert(counted["denied"], list[FromObserver])
        assert denied
        assert all(isinstance(each, OutOfMemory) for each in denied)
        return denied, counted

    return of


def line(marked: str) -> str:
    """The line of the program that ends in this comment."""
    lines = PROGRAM.read_text().splitlines()
    (number,) = (number for number, text in enumerate(lines, 1) if text.endswith(f"  # {marked}"))
    return f"<string>:{number}"


def latest(told: Told, scene: str) -> tuple[OutOfMemory, Autopsy]:
    """The latest denial of a scene and what is known of it, where all is as the program counts."""
    denied, counted = told(scene)
    found = autopsy(denied[-1])
    assert found.in_use == counted["requested"]
    in_blocks = sum(block.requested for block in denied[-1].blocks)
    assert in_blocks == found.in_use
    assert sum(block.size for block in denied[-1].blocks) == found.reserved
    assert found.parameters == WEIGHTS
    owned = found.parameters + (found.gradients or 0) + found.optimizer_state
    assert found.rest == found.in_use - owned
    return denied[-1], found


def remedies(found: Autopsy) -> list[str]:
    return [each.remedy for each in found.suggestions]


def test_before_any_step_and_any_window_it_is_told_too(told: Told) -> None:
    (denied,), _ = told("before_anything")
    assert denied.line == line("before all")
    assert (denied.wanted, denied.parameters, denied.requested) == (HUGE, WEIGHTS, WEIGHTS)
    assert (denied.phase, denied.steps, denied.module) == ("outside", 0, None)
    assert autopsy(denied).suggestions == (Suggestion("nothing", 3 * GIB),)


def test_loading_a_batch_is_told_by_a_window(told: Told) -> None:
    denied, found = latest(told, "load")
    assert (denied.phase, denied.line, denied.steps) == ("load", line("in load"), 3)
    assert (found.gradients, found.optimizer_state) == (WEIGHTS, 2 * WEIGHTS)


@pytest.mark.parametrize("scene", ["forward", "forward_in_a_thread", "forward_in_a_window"])
def test_a_call_tells_its_module_its_line_and_its_inputs(told: Told, scene: str) -> None:
    denied, found = latest(told, scene)
    assert (denied.phase, denied.line, denied.wanted) == ("forward", line("in forward"), 2 * GIB)
    assert denied.module == Module("1", "Greedy")
    assert denied.inputs == (Input("float32", (8, 4096)),)
    assert (denied.steps, denied.evaluates, denied.differentiable) == (3, False, True)
    assert (found.gradients, found.optimizer_state) == (0, 2 * WEIGHTS)


@pytest.mark.parametrize(("scene", "inputs"), [("backward", ()), ("backward_in_a_window", (4096,))])
def test_a_backward_tells_its_operator_whose_weight_it_takes_and_who_called_for_it(
    told: Told, scene: str, inputs: tuple[int, ...]
) -> None:
    denied, found = latest(told, scene)
    assert (denied.phase, denied.line) == ("backward", line("asks for gradients"))
    assert (denied.operator, denied.module) == ("MmBackward0", Module("2", "Linear"))
    assert (denied.wanted, denied.free) == (SQUARE, 20 * MIB)
    assert found.gradients == 0
    assert denied.inputs == (() if not inputs else (Input("float32", (*inputs, 4096)),))
    assert found.rest > max(found.parameters, found.optimizer_state)
    assert found.suggestions[-1] == Suggestion("batch", found.rest)


def test_an_optimizers_first_step_tells_the_state_that_it_has_made_so_far(told: Told) -> None:
    denied, found = latest(told, "first_step_of_the_optimizer")
    assert (denied.phase, denied.line) == ("optimizer", line("makes its state"))
    assert (denied.optimizer, denied.new_state) == ("Adam", True)
    assert (denied.wanted, denied.free) == (SQUARE, 36 * MIB)
    assert (found.gradients, found.optimizer_state) == (WEIGHTS, SQUARE)
    assert Suggestion("optimizer", SQUARE) in found.suggestions
    assert "zero_grad" not in remedies(found)


def test_gradients_of_the_step_before_are_told_where_they_would_have_been_enough(
    told: Told,
) -> None:
    denied, found = latest(told, "stale_gradients")
    assert (denied.phase, denied.line) == ("forward", line("keeps gradients"))
    assert denied.wanted == SQUARE
    assert Suggestion("zero_grad", WEIGHTS) in found.suggestions


def test_a_gradient_that_another_thread_may_write_is_not_read(told: Told) -> None:
    (denied,), _ = told("while_another_thread_is_in_backward")
    assert denied.gradients is None
    assert autopsy(denied).rest == denied.requested - WEIGHTS - 2 * WEIGHTS


def test_an_evaluation_that_keeps_a_graph_is_told_apart_from_one_that_does_not(
    told: Told,
) -> None:
    _, found = latest(told, "evaluation")
    assert found.suggestions == (Suggestion("no_grad", found.rest), Suggestion("batch", found.rest))
    _, found = latest(told, "evaluation_without_gradients")
    assert found.suggestions == (Suggestion("batch", found.rest),)


def test_fragments_are_told_with_what_pins_them(told: Told) -> None:
    denied, found = latest(told, "fragments")
    _, counted = told("fragments")
    assert (denied.line, denied.wanted) == (line("in pieces"), 96 * MIB)
    assert found.free_pieces is not None
    assert found.free_pieces.bytes == counted["in_pieces"]
    assert found.free_pieces.largest == 48 * MIB
    assert found.free_pieces.pieces >= 4
    assert [(each.bytes, each.free, each.blocks) for each in found.pinned] == [
        (64 * MIB, 48 * MIB, 1)
    ] * 3
    assert {each.by.bytes for each in found.pinned} == {16 * MIB}
    assert Suggestion("expandable", counted["in_pieces"]) in found.suggestions


def test_the_largest_blocks_have_their_owners_names_and_shapes(told: Told) -> None:
    _, found = latest(told, "forward")
    named = [(each.bytes, each.owner, each.name) for each in found.largest[:3]]
    assert sorted(named, key=str) == [
        (SQUARE, "optimizer_state", "0.weight.exp_avg"),
        (SQUARE, "optimizer_state", "0.weight.exp_avg_sq"),
        (SQUARE, "parameters", "0.weight"),
    ]
    assert {each.shape for each in found.largest[:3]} == {(4096, 4096)}
    assert {each.dtype for each in found.largest[:3]} == {"float32"}
    assert found.largest[3].owner is None


def test_memory_that_two_parameters_share_counts_once_and_has_both_names(told: Told) -> None:
    _, found = latest(told, "shared_memory")  # the bytes of parameters are checked there
    assert "0.weight and 1 more" in [each.name for each in found.largest]


def test_no_tensor_is_kept_alive_by_what_was_looked_at(told: Told) -> None:
    for scene in ("load", "backward", "stale_gradients", "evaluation", "fragments"):
        assert told(scene)[1]["kept"] == 0
    for scene in ("forward", "forward_in_a_thread", "forward_in_a_window"):
        assert told(scene)[1]["kept"] == -WEIGHTS  # the gradients, let go by the step that failed


def test_a_program_that_catches_it_is_followed_further(told: Told) -> None:
    denied, counted = told("caught_again_and_again")
    assert [each.line for each in denied] == [line("in forward")] * 3
    assert [(each.count, each.steps) for each in denied] == [(1, 3), (2, 6), (3, 9)]
    assert counted["steps"] >= 3
    (last,) = msgspec.convert(counted["last"], list[FromObserver])
    assert isinstance(last, WatchedStep)
    assert last.number == counted["steps"]
    split = report(last, 1)
    assert split.unattributed == 0
    assert split.boundaries["optimizer"].parameters == WEIGHTS
