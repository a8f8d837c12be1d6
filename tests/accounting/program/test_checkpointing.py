"""What a step would hold if modules were computed again in backward: at most that."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from fake import ELSEWHERE, FakeProgram
from vramtop.accounting.program.report import report
from vramtop.protocol.observed.record import Module, WatchedStep

FIRST, SECOND, PASSING, OUT, INPUT, MASK, GRADIENT = 1000, 500, 300, 100, 10, 7, 20


def blocks(
    *, mask: int = 0, calls: int = 1, stay: Sequence[int] = (), head: int = 0
) -> FakeProgram:
    """Two blocks in a row, each of two parts; the second part makes something that passes.

    Each hands on what it makes last. `mask` goes into both, and is released when forward ends.
    The outputs of the blocks `stay` are also kept by the program beyond backward.
    """
    program = FakeProgram()
    for _ in range(2):
        program.period()
        with program.call():
            inputs = program.take(INPUT, module="stem")
            masks = [program.take(mask, module="stem")] if mask else []
            made = []
            for block in range(2):
                for _ in range(calls):
                    made.append(program.take(FIRST, module=f"h.{block}.a"))
                    made.append(program.take(SECOND, module=f"h.{block}.b"))
                    program.give(program.take(PASSING, module=f"h.{block}.b"))
                    made.append(program.take(OUT, module=f"h.{block}"))
            program.give(*masks)
            heads = [program.take(head, module="head")] if head else []
        with program.backward():
            program.give(*heads)
            gradient = program.take(GRADIENT)
            staying = [made[3 * calls * block + 2] for block in stay]
            program.give(*(each for each in reversed(made) if each not in staying))
            program.give(inputs, gradient)
        program.give(*staying)
        with program.optimizer():
            pass
    program.period()
    return program


def told(step: WatchedStep) -> dict[str, int]:
    """The new peak of each group of modules."""
    begin = "checkpointing of "
    return {
        row.what.removeprefix(begin): row.peak
        for row in report(step, 1).what_if
        if row.what.startswith(begin)
    }


def of_class(step: WatchedStep, kinds: dict[str, str]) -> WatchedStep:
    """The same step with other classes of modules."""
    modules = tuple(Module(each.path, kinds.get(each.path, each.kind)) for each in step.modules)
    return msgspec.structs.replace(step, modules=modules)


KEPT = FIRST + SECOND + OUT
# The second block is computed again as backward begins, while the first has the one tensor that it
# may have handed on.
COMPUTED_AGAIN = INPUT + FIRST + GRADIENT + FIRST + SECOND + PASSING
BOTH = "h.*, 2 × Linear"


def test_modules_that_differ_only_in_a_number_are_computed_again_one_by_one() -> None:
    step = blocks().record()
    assert report(step, 1).peak.bytes == INPUT + KEPT + FIRST + SECOND + PASSING
    assert told(step) == {BOTH: COMPUTED_AGAIN}


def test_backward_reaches_a_module_after_all_that_later_ones_keep_is_released() -> None:
    head = 2000
    step = blocks(head=head).record()
    assert report(step, 1).peak.bytes == INPUT + KEPT + KEPT + head
    assert told(step) == {BOTH: INPUT + FIRST + FIRST + head}
    assert told(of_class(step, {"h.0": "Block"})) == {
        "h.0": INPUT + FIRST + KEPT + head,
        "h.1": INPUT + FIRST + KEPT + head,
    }


def test_what_may_be_an_input_stays_until_the_module_was_computed_again() -> None:
    assert told(blocks(mask=MASK).record()) == {BOTH: COMPUTED_AGAIN + MASK}


def test_a_module_that_returns_several_tensors_is_left_out() -> None:
    step = blocks().record()
    (row,) = [each for each in report(step, 1).what_if if BOTH in each.what]
    assert row.bound == "at_most"
    several = next(at for at, each in enumerate(step.modules) if each.path == "h.1")
    single = tuple(at for at in step.single if at != several)
    assert told(msgspec.structs.replace(step, single=single)) == {}


def test_a_module_that_is_checkpointed_already_is_left_out() -> None:
    step = blocks().record()
    again = next(at for at, each in enumerate(step.modules) if each.path == "h.0")
    assert told(msgspec.structs.replace(step, recomputed=(again,))) == {}


def test_modules_of_different_classes_are_not_taken_together() -> None:
    step = of_class(blocks().record(), {"h.0": "Block"})
    forward = INPUT + FIRST + FIRST + SECOND + PASSING
    assert told(step) == {"h.0": forward}


def test_a_module_that_keeps_something_beyond_backward_is_left_out() -> None:
    assert told(blocks(stay=[0]).record()) == {}


def test_a_module_that_is_called_twice_is_left_out() -> None:
    assert told(blocks(calls=2).record()) == {}


def test_a_module_that_comes_again_after_another_one_is_left_out() -> None:
    step = blocks().record()
    shared = Module("h.0.b", "Linear")
    modules = tuple(shared if each.path == "h.1.b" else each for each in step.modules)
    assert told(msgspec.structs.replace(step, modules=modules)) == {}


def test_copies_that_autocast_may_have_made_of_parameters_stay() -> None:
    program = blocks()
    program.see("parameters", ELSEWHERE, "h.0.b.weight", (SECOND // 2,))
    assert told(program.record()) == {BOTH: COMPUTED_AGAIN + SECOND}


def test_nothing_is_said_of_modules_whose_parameters_are_gathered() -> None:
    assert told(of_class(blocks().record(), {"h.0": "FSDPBlock"})) == {}
