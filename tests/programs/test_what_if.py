"""What is predicted of a change is what the changed training holds, or that is less.

The change is made, and the allocator's own statistics tell the peak; nobody observes that training.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from predicted import (
    BFLOAT16,
    CHECKPOINTED,
    LOOP,
    NO_STATE,
    ONE_STATE,
    RELEASED,
    predictions,
    run,
    watched,
)
from vramtop.accounting.program.other_optimizers import TEMPORARIES_AT_ONCE

if TYPE_CHECKING:
    from simulation import Environment, SimulatedGpu

OPTIMIZERS = {NO_STATE, ONE_STATE}
TRAININGS = {
    "MLP": {*OPTIMIZERS, BFLOAT16, LOOP},
    "MLP, large batch": {*OPTIMIZERS, BFLOAT16, CHECKPOINTED + "*, 3 × Sequential"},
    "MLP, zeros": {*OPTIMIZERS, BFLOAT16, LOOP},
    "MLP, closure": {*OPTIMIZERS, RELEASED, BFLOAT16, CHECKPOINTED + "*, 3 × Sequential"},
    "GPT": {
        *OPTIMIZERS,
        RELEASED,
        BFLOAT16,
        CHECKPOINTED + "h.*, 4 × Block",
        CHECKPOINTED + "h.*.mlp, 4 × Sequential",
    },
    "GPT, autocast": {*OPTIMIZERS, RELEASED, BFLOAT16, CHECKPOINTED + "h.*, 4 × Block"},
    "GPT, accumulation": {
        *OPTIMIZERS,
        BFLOAT16,
        CHECKPOINTED + "h.*, 4 × Block",
        CHECKPOINTED + "h.*.mlp, 4 × Sequential",
    },
    "convolutions": {
        *OPTIMIZERS,
        BFLOAT16,
        CHECKPOINTED + "layer1",
        CHECKPOINTED + "layer1.*, 2 × Residual",
        CHECKPOINTED + "layer2.*, 2 × Residual",
    },
    "U-Net": {
        NO_STATE,
        BFLOAT16,
        CHECKPOINTED + "down.*, 2 × Sequential",
        CHECKPOINTED + "middle",
    },
}


@pytest.mark.parametrize(("training", "expected"), TRAININGS.items(), ids=TRAININGS)
def test_the_changed_training_holds_what_was_predicted(
    simgpu: SimulatedGpu, machine: Environment, training: str, expected: set[str]
) -> None:
    told = predictions(simgpu, machine, training)
    assert {each.row.what for each in told} == expected
    assert not [each for each in told if each.row.bound == "exact" and each.error]
    assert not [each for each in told if each.error < 0]


def test_what_only_goes_or_goes_earlier_is_predicted_to_the_byte(
    simgpu: SimulatedGpu, machine: Environment
) -> None:
    report = watched(simgpu, machine, "GPT")
    exact = {row.what for row in report.what_if if row.bound == "exact"}
    assert exact == {NO_STATE, ONE_STATE, RELEASED}


def test_a_block_that_is_called_again_and_again_is_not_to_be_checkpointed(
    simgpu: SimulatedGpu, machine: Environment
) -> None:
    report = watched(simgpu, machine, "GPT, shared block")
    assert not [row for row in report.what_if if row.what.startswith(CHECKPOINTED)]


def test_a_loop_over_parameters_has_no_more_temporaries_than_pytorchs_code_makes(
    simgpu: SimulatedGpu, machine: Environment
) -> None:
    size = 4 << 16
    names = sorted(TEMPORARIES_AT_ONCE)
    call = f"{{name: changes.in_a_loop(name) for name in {names}}}"
    most = json.loads(run(simgpu, machine, call))
    assert {name: bytes_ // size for name, bytes_ in most.items()} == dict(TEMPORARIES_AT_ONCE)
    assert not [name for name, bytes_ in most.items() if bytes_ % size > 64]
