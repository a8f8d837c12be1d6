"""What one expects of a recorded step, and the reasons that its bytes prove."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace
from recorded_program import REPORT, STEPS
from vramtop.protocol.messages import Difference
from vramtop.protocol.observed.record import Name, Sighting, WatchedStep
from vramtop.protocol.observed.report import Held, Split, StepReport
from vramtop.protocol.split import Category
from vramtop.tui.programs.expected import differences, expected

STEP = STEPS[-1]
TRAINED, FROZEN = 4 * 3_290_368, 4 * 32_768
HEAD = 4 * (256 * 256 + 256)  # the bytes of the last layer's weight and bias


def held(step: WatchedStep, category: Category, **high_water: int) -> tuple[str, int, Difference]:
    """What is expected of a category, and the difference where these are its high waters."""
    report: StepReport = replace(REPORT, high_water=replace(REPORT.high_water, **high_water))
    found = expected(step, report)
    (difference,) = [each for each in differences(found, report, []) if each.category == category]
    expectation = found[category].expectation
    return expectation.formula, expectation.bytes, difference


def renamed(change: Callable[[Name], Name]) -> WatchedStep:
    return replace(STEP, names=tuple(change(name) for name in STEP.names))


def without(drop: Callable[[Sighting], bool]) -> WatchedStep:
    return replace(STEP, sightings=tuple(each for each in STEP.sightings if not drop(each)))


def test_parameters_are_written_by_type_where_they_have_several() -> None:
    half = renamed(lambda name: replace(name, itemsize=2) if name.path == "head.weight" else name)
    formula, size, difference = held(half, "parameters")
    assert formula == f"{3_323_136 - 65_536:,} × 4 B + 65,536 × 2 B"
    assert size == TRAINED + FROZEN - 2 * 65_536
    assert difference == Difference("parameters", 2 * 65_536)


def test_gradients_are_expected_of_what_is_trained() -> None:
    formula, size, difference = held(STEP, "gradients")
    assert (formula, size) == ("3,290,368 × 4 B", TRAINED)
    assert difference == Difference("gradients", 0, ("1 tensor not trained",))


def test_gradients_that_some_parameters_do_not_have_are_the_reason_if_their_bytes_are() -> None:
    some = without(
        lambda each: each.owner == "gradients" and STEP.names[each.name].path.startswith("head.")
    )
    _, _, difference = held(some, "gradients", gradients=TRAINED - HEAD)
    assert difference.bytes == -HEAD
    assert difference.reasons[1] == "some have none"
    _, _, difference = held(some, "gradients", gradients=TRAINED - HEAD + 4)
    assert difference.reasons == ()


def test_gradients_that_are_released_one_by_one_are_never_all_there() -> None:
    _, _, difference = held(STEP, "gradients", gradients=HEAD)
    assert difference == Difference("gradients", HEAD - TRAINED, ("never all at once",))


def test_an_optimizers_state_is_what_it_was_seen_to_keep_for_each_element() -> None:
    assert held(STEP, "optimizer_state")[:2] == ("AdamW 2 × 4 B × 3,290,368", 2 * TRAINED)
    one = without(lambda each: each.key == "exp_avg_sq")
    assert held(replace(one, optimizer="SGD"), "optimizer_state")[:2] == (
        "SGD 4 B × 3,290,368", TRAINED,
    )  # fmt: skip
    head = without(
        lambda each: each.key == "exp_avg_sq" and STEP.names[each.name].path.startswith("head.")
    )
    formula, size, difference = held(head, "optimizer_state")
    assert formula == f"AdamW 2 × 4 B × {3_290_368 - HEAD // 4:,} + 4 B × {HEAD // 4:,}"
    assert (size, difference.bytes, difference.reasons) == (2 * TRAINED - HEAD, HEAD, ())
    none = without(lambda each: each.owner == "optimizer_state")
    assert held(none, "optimizer_state")[:2] == ("AdamW keeps none", 0)
    assert held(replace(none, optimizer=""), "optimizer_state")[0] == "keeps none"


def test_counts_of_steps_on_the_device_are_named() -> None:
    places = [each for each in STEP.sightings if each.key == "exp_avg"]
    count = Name(STEP.names[places[0].name].path, (), "float32", 4)
    counted = replace(
        STEP,
        names=(*STEP.names, count),
        sightings=(
            *STEP.sightings,
            replace(places[-1], address=1, name=len(STEP.names), key="step"),
        ),
    )
    _, _, difference = held(counted, "optimizer_state", optimizer_state=2 * TRAINED + 4)
    assert difference == Difference("optimizer_state", 4, ("counts of steps",))


def test_a_batch_is_what_went_into_the_call_and_what_there_is_besides_has_its_reasons() -> None:
    formula, size, difference = held(STEP, "batch_data")
    assert (formula, size) == ("16×128 × 8 B", 16_384)
    assert difference == Difference(
        "batch_data",
        2 * 16_384,
        ("also made in load, the batch before is held too", "other data, two batches"),
    )
    _, _, difference = held(STEP, "batch_data", batch_data=99_999)
    assert difference.reasons == ()


def test_nothing_is_expected_of_other_and_its_bytes_are_reported_in_fewer_and_fewer_words() -> None:
    report = replace(
        REPORT,
        high_water=Split(other=324),
        other=(Held(312, 78, "kept since the step before", "train.py:14"), Held(12, 1, "x", "")),
    )
    (difference,) = [
        each for each in differences(expected(STEP, report), report, []) if each.category == "other"
    ]
    assert difference.bytes == 324
    assert difference.reasons[0] == "78 × kept since the step before, train.py:14; 1 more"
    assert difference.reasons[-1] == "78 × train.py:14"
    lengths = [*map(len, difference.reasons)]
    assert lengths == sorted(lengths, reverse=True)


@pytest.mark.parametrize("category", ["gradients", "optimizer_state"])
def test_inference_expects_neither_gradients_nor_state(category: Category) -> None:
    found = expected(replace(STEP, kind="inference"), replace(REPORT, kind="inference"))
    assert category not in found
