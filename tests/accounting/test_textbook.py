"""The textbook's terms, held against what the papers say of a parameter."""

from __future__ import annotations

import pytest
from vramtop.accounting.textbook import Model, terms
from vramtop.protocol.lesson.settings import OptimizerName

BILLION = 10**9


def sizes(model: Model, optimizer: OptimizerName = "adamw") -> dict[str, int]:
    return {term.name: term.bytes for term in terms(model, optimizer)}


@pytest.mark.parametrize(("optimizer", "each"), [("sgd", 8), ("momentum", 12), ("adam", 16)])
def test_in_float32_a_parameter_takes_8_to_16_bytes(optimizer: OptimizerName, each: int) -> None:
    assert sum(sizes(Model(BILLION), optimizer).values()) == each * BILLION


def test_in_16_bits_everything_is_half_as_large() -> None:
    whole, half = sizes(Model(BILLION)), sizes(Model(BILLION, "bfloat16"))
    assert {name: size / 2 for name, size in whole.items()} == half


def test_with_master_weights_adam_takes_16_bytes_as_in_the_paper_on_zero() -> None:
    found = sizes(Model(BILLION, mixed="master"))
    assert {name: size // BILLION for name, size in found.items()} == {
        "parameters": 2,
        "gradients": 2,
        "master weights": 4,
        "optimizer state": 8,
    }


# Rajbhandari et al., 2020, figure 1: 7.5 billion parameters, 64 devices, gigabytes.
@pytest.mark.parametrize(("stage", "gigabytes"), [(1, 31.4), (2, 16.6), (3, 1.9)])
def test_zero_shares_out_what_its_paper_says(stage: int, gigabytes: float) -> None:
    model = Model(7_500_000_000, mixed="master", devices=64, stage=stage)
    assert sum(sizes(model).values()) / 1e9 == pytest.approx(gigabytes, abs=0.05)


def test_a_part_is_rounded_up_to_whole_values() -> None:
    assert sizes(Model(10, devices=4))["parameters"] == 3 * 4


def test_adapters_are_trained_and_what_is_frozen_has_no_gradients() -> None:
    assert sizes(Model(7 * BILLION, "bfloat16", adapters=20_000_000)) == {
        "parameters": 14 * BILLION,
        "adapters": 40_000_000,
        "gradients": 40_000_000,
        "optimizer state": 80_000_000,
    }


def test_autocast_keeps_copies_of_what_is_trained() -> None:
    assert sizes(Model(BILLION, mixed="autocast"))["autocast copies"] == 2 * BILLION
    frozen = Model(BILLION, mixed="autocast", adapters=1000, devices=2, stage=2)
    assert sizes(frozen)["autocast copies"] == 2000


def test_each_formula_gives_its_bytes() -> None:
    for model in (
        Model(7 * BILLION, mixed="master", devices=8),
        Model(123, "float16", adapters=45, devices=3, stage=2),
        Model(1000, mixed="autocast"),
    ):
        for optimizer in ("sgd", "momentum", "adam"):
            for term in terms(model, optimizer):
                assert computed(term.formula) == term.bytes, term


def computed(formula: str) -> int:
    """What a formula gives, with the part of a device rounded up to whole values."""
    if formula == "none":
        return 0
    product, _, devices = formula.partition(":")[0].removesuffix(" at most").partition(" ÷ ")
    *factors, size = (
        int(each.removesuffix(" B").replace(",", "")) for each in product.split(" × ")
    )
    *times, count = factors
    return (times[0] if times else 1) * -(-count // int(devices or 1)) * size
