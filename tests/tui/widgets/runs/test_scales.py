"""Axes with round ends that seldom move."""

from __future__ import annotations

import pytest
from vramtop.tui.widgets.runs.scales import Scale, counting, length, logarithmic, sizing


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        ([0.3, 2.3], 0.2, 5),
        ([0.01, 1.0], 0.01, 1),
        ([0.001, 0.001], 0.001, 0.002),
        ([0.0, 1.5], 1e-6, 2),
        ([], 1, 2),
    ],
)
def test_a_loss_lies_between_1_2_or_5_times_powers_of_ten(
    values: list[float], low: float, high: float
) -> None:
    scale = logarithmic(values)
    assert (scale.low, scale.high) == (pytest.approx(low), pytest.approx(high))


@pytest.mark.parametrize(
    ("value", "end"), [(99_999, 100e3), (100_000, 100e3), (100_001, 200e3), (2.1, 5), (0, 1)]
)
def test_a_rate_is_counted_from_nothing(value: float, end: float) -> None:
    assert counting([value]) == Scale(0, end)


@pytest.mark.parametrize(("value", "end"), [(2**21, 2**21), (2**21 + 1, 3 * 2**20), (5, 6)])
def test_a_size_is_measured_in_powers_of_two(value: float, end: float) -> None:
    assert sizing([value]) == Scale(0, end)


@pytest.mark.parametrize("exponent", range(-6, 16))
@pytest.mark.parametrize("digit", [1, 2, 5])
def test_a_round_number_is_its_own_end(digit: int, exponent: int) -> None:
    value = float(f"{digit}e{exponent}")
    scale = logarithmic([value, 1e16])
    assert scale.low == pytest.approx(value)
    if value >= 1:
        assert counting([value]).high == pytest.approx(value)


def test_the_axis_of_images_has_round_ends_and_moves_seldom() -> None:
    lengths = {length(images) for images in range(10_000, 100_001)}
    assert sorted(lengths) == [10_000, 15_000, 20_000, 30_000, 50_000, 75_000, 100_000]
    assert all(length(images) >= images for images in range(1, 1000))


def test_levels_go_from_the_top_down_and_no_further() -> None:
    depth = Scale(0, 100).depth(5)
    assert [depth(value) for value in (100, 75, 0, -10, 200)] == [0, 1, 4, 4, 0]
    assert Scale(0.01, 1, logarithmic=True).depth(3)(0.1) == 1
