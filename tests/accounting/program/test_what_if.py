"""What a step would hold with a change: gradients that go earlier, less state, smaller numbers."""

from __future__ import annotations

from typing import Literal

import pytest
from fake import FLOAT, FakeProgram
from vramtop.protocol.observed.report import StepReport, WhatIf

RELEASED = "gradients released after the optimizer's step"
NO_STATE = "an optimizer without state"
ONE_STATE = "an optimizer with one state tensor a parameter"
LOOP = "the optimizer takes one parameter after another"
BFLOAT16 = "parameters, gradients and state in bfloat16"

SIDE = 10
WEIGHT = FLOAT * SIDE * SIDE
STATE = 2 * WEIGHT


def training(
    kept: int,
    *,
    temporaries: int = 8,
    made_in_backward: int = 8,
    zero: Literal["with None", "with zeros"] = "with None",
    steps: int = 1,
) -> FakeProgram:
    """It releases the gradient of a weight just before backward, or keeps its memory for ever.

    It has two tensors of state and a count of steps for the weight.
    """
    program = FakeProgram()
    weight, *state = (program.hold(size) for size in (WEIGHT, WEIGHT, WEIGHT, FLOAT))
    gradient = program.hold(WEIGHT)
    for _ in range(2):
        program.period()
        with program.call():
            activation = program.take(kept)
        if zero == "with None":
            program.give(gradient)
        with program.backward():
            program.give(activation)
            again = program.take(WEIGHT)
            program.give(program.take(made_in_backward))
            if zero == "with None":
                gradient = again
            else:
                program.give(again)
        program.see("gradients", gradient, "fc.weight", (SIDE, SIDE))
        for _ in range(steps):
            with program.optimizer():
                program.give(program.take(temporaries))
    program.see("parameters", weight, "fc.weight", (SIDE, SIDE))
    for address, key in zip(state, ("exp_avg", "exp_avg_sq", "step"), strict=True):
        shape = () if key == "step" else (SIDE, SIDE)
        program.see("optimizer_state", address, "fc.weight", shape, key)
    program.period()
    return program


def rows(report: StepReport) -> dict[str, tuple[int, str]]:
    """The peak and the bound of each change."""
    for row in report.what_if:
        assert row.peak + row.saved == report.peak.bytes
    return {row.what: (row.peak, row.bound) for row in report.what_if}


# ---- gradients ------------------------------------------------------------------------------


def test_gradients_that_are_released_before_backward_can_go_after_the_optimizers_step() -> None:
    report = training(kept=5000).report()
    held = WEIGHT + STATE + FLOAT
    assert report.peak.bytes == held + WEIGHT + 5000
    assert rows(report)[RELEASED] == (held + 5000, "exact")


def test_the_step_still_begins_with_the_gradients_of_the_one_before() -> None:
    """Those of the first period are larger."""
    program = FakeProgram()
    gradient = program.hold(WEIGHT)
    for size in (3 * WEIGHT, WEIGHT):
        program.period()
        with program.call():
            program.give(program.take(100))
        program.give(gradient)
        with program.backward():
            gradient = program.take(size)
        program.see("gradients", gradient, "fc.weight", (SIDE, SIDE))
        with program.optimizer():
            pass
    program.period()
    assert program.report().peak.bytes == 3 * WEIGHT + 100
    assert rows(program.report())[RELEASED] == (3 * WEIGHT, "exact")


def test_gradients_that_are_filled_with_zeros_come_again_as_backward_begins() -> None:
    held = WEIGHT + STATE + FLOAT
    told = rows(training(kept=5000, zero="with zeros").report())
    assert told[RELEASED] == (held + 5000, "at_most")
    told = rows(training(kept=5000, made_in_backward=6000, zero="with zeros").report())
    assert RELEASED not in told


def test_gradients_in_buckets_stay() -> None:
    program = FakeProgram()
    gradient = program.hold(WEIGHT)
    for _ in range(2):
        program.period()
        with program.call():
            program.give(program.take(3000))
        with program.backward():
            program.give(program.take(WEIGHT))
        program.see("gradients", gradient, "fc.weight", (SIDE, SIDE))
        with program.optimizer():
            pass
    program.period()
    assert RELEASED in rows(program.report())
    assert RELEASED not in rows(program.report(bucket_sizes=(WEIGHT,)))


def test_with_several_optimizers_nothing_is_said_of_gradients() -> None:
    assert RELEASED in rows(training(kept=5000).report())
    assert RELEASED not in rows(training(kept=5000, steps=2).report())


# ---- the optimizer --------------------------------------------------------------------------


def test_state_is_left_out_to_the_byte_where_the_optimizers_step_is_not_the_peak() -> None:
    told = rows(training(kept=5000).report())
    assert told[NO_STATE] == (WEIGHT + WEIGHT + 5000, "exact")
    assert told[ONE_STATE] == (WEIGHT + WEIGHT + WEIGHT + 5000, "exact")


def test_sgd_makes_no_temporaries_but_single_numbers() -> None:
    told = rows(training(kept=8, temporaries=5000).report())
    assert told[NO_STATE] == (WEIGHT + WEIGHT + 64, "at_most")
    assert told[ONE_STATE] == (WEIGHT + WEIGHT + WEIGHT + 64, "at_most")


def test_an_optimizer_that_has_no_state_is_not_replaced_for_its_temporaries() -> None:
    program = FakeProgram()
    for _ in range(2):
        program.period()
        with program.call():
            pass
        with program.backward():
            pass
        with program.optimizer():
            program.give(program.take(5000))
    program.period()
    assert rows(program.report()) == {}


def test_nothing_is_said_of_other_optimizers_where_gradients_are_sparse() -> None:
    program = training(kept=5000)
    values = program.take(FLOAT * SIDE)
    program.see("gradients", values, "fc.weight", (1, SIDE))
    program.period()
    step = program.record()
    marks = [mark for mark in step.marks if mark.kind == "period"]
    kept = tuple(mark for mark in step.marks if mark is not marks[2])
    assert NO_STATE not in rows(program.report(marks=kept))


@pytest.mark.parametrize(("optimizer", "at_once"), [("AdamW", 4), ("RAdam", 5), ("SGD", 2)])
def test_one_parameter_after_another_needs_the_temporaries_of_one(
    optimizer: str, at_once: int
) -> None:
    held = WEIGHT + STATE + FLOAT + WEIGHT
    told = rows(training(kept=8, temporaries=5000).report(optimizer=optimizer))
    assert told[LOOP] == (held + at_once * WEIGHT + 64, "at_most")


def test_nothing_is_said_of_the_temporaries_of_an_optimizer_that_is_not_pytorchs() -> None:
    assert LOOP not in rows(training(kept=8, temporaries=5000).report(optimizer="Lion"))


# ---- half precision -------------------------------------------------------------------------


def test_in_bfloat16_all_but_activations_and_the_count_of_steps_halve() -> None:
    told = rows(training(kept=5000).report())
    assert told[BFLOAT16] == ((WEIGHT + STATE + WEIGHT) // 2 + FLOAT + 5000, "at_most")


def test_what_is_not_in_float32_stays_in_bfloat16() -> None:
    step = training(kept=5000).record()
    names = tuple(type(name)(name.path, name.shape, "int32", 4) for name in step.names)
    assert BFLOAT16 not in rows(training(kept=5000).report(names=names))


# ---- all ------------------------------------------------------------------------------------


def test_the_most_is_told_first_with_the_line_to_write() -> None:
    told = training(kept=5000).report().what_if
    assert [row.saved for row in told] == sorted((row.saved for row in told), reverse=True)
    assert told[0] == WhatIf(
        NO_STATE, WEIGHT + WEIGHT + 5000, STATE + FLOAT, "exact", "torch.optim.SGD(parameters, lr)"
    )


def test_nothing_is_said_of_inference() -> None:
    program = FakeProgram("inference")
    state = program.hold(WEIGHT)
    for _ in range(2):
        program.period()
        with program.call():
            program.give(program.take(8))
    program.see("optimizer_state", state, "fc.weight", (SIDE, SIDE), "exp_avg")
    program.period()
    assert program.report().what_if == ()
