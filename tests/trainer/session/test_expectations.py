"""The lesson's formulas, and why a real step differs from them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import Difference
from vramtop.protocol.split import CATEGORIES, Category, Split
from vramtop.trainer.session.expectations import differences, expectations

SHAPE = (1, 28, 28)
P = 407_080  # bytes of the parameters
# What a real step on 64 images holds, as tests of the ledger prove it.
SEEN = Split(P, P, 2 * P + 16, 3144 * 64, 592 * 64 + 8, P)


def rows(settings: Settings, seen: Split = SEEN) -> dict[Category, Difference]:
    found = differences(settings, expectations(settings, SHAPE), seen)
    return {row.category: row for row in found}


def test_the_formula_is_written_with_its_numbers() -> None:
    formulas = ["4 × 101,770", "4 × 101,770", "8 × 101,770", "3,136 × 64", "512 × 64"]
    assert [row.formula for row in expectations(Settings(), SHAPE)] == formulas
    assert [row.bytes for row in expectations(Settings(), SHAPE)] == [
        P, P, 2 * P, 3136 * 64, 512 * 64,
    ]  # fmt: skip


def test_an_optimizer_without_state_has_a_formula_without_factors() -> None:
    (state,) = (
        row
        for row in expectations(Settings(optimizer="sgd"), SHAPE)
        if row.category == "optimizer_state"
    )
    assert (state.formula, state.bytes) == ("0", 0)


def test_each_difference_is_explained_to_the_byte() -> None:
    found = rows(Settings())
    assert [row.bytes for row in found.values()] == [0, 0, 16, 512, 5128]
    assert "temporaries" not in found
    assert found["parameters"].reasons == ()
    counters = "Adam counts its steps: 4 B for each of 4 tensors"
    assert found["optimizer_state"].reasons[:2] == (counters, "Adam's four step counters")
    assert found["batch_data"].reasons[0] == "targets are int64: 8 B an image"
    whole = "logits and log-softmax: 80 B an image, loss: 8 B"
    assert found["activations"].reasons == (whole, "logits, log-softmax, loss", "logits…")


def test_gradients_that_stay_while_batches_add_up_have_a_reason() -> None:
    reasons = rows(Settings(accumulation=4))["gradients"].reasons
    assert reasons == ("they stay while 4 batches add up", "stay for 4 batches", "stay")


@pytest.mark.parametrize("accumulation", [1, 4])
@pytest.mark.parametrize("off", [-1, 1, 8, 4096])
@pytest.mark.parametrize("category", [name for name in CATEGORIES if name != "temporaries"])
def test_any_other_difference_is_not_explained(
    category: Category, off: int, accumulation: int
) -> None:
    settings = Settings(accumulation=accumulation)
    (expected,) = (row for row in expectations(settings, SHAPE) if row.category == category)
    right: int = getattr(SEEN, category)
    wrong = replace(SEEN, **{category: right + off})
    assert rows(settings, wrong)[category] == Difference(category, right + off - expected.bytes)
