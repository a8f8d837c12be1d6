from __future__ import annotations

import pytest
from vramtop.tui.words import units


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.00 KiB"),
        (407_080, "397.5 KiB"),
        (2**20 - 1, "1.00 MiB"),
        (24 * 2**20, "24.0 MiB"),
        (2**70, "1048576.0 PiB"),
    ],
)
def test_a_size_has_the_unit_that_suits(number: int, text: str) -> None:
    assert units.size(number) == text


@pytest.mark.parametrize("number", [2**power + less for power in range(59) for less in (-1, 0)])
def test_a_size_never_needs_more_than_ten_characters(number: int) -> None:
    assert len(units.size(number)) <= 10


def test_a_column_has_one_unit() -> None:
    column = units.column([16, 814_176])
    assert (column.unit, column.text(814_176), column.text(None)) == ("KiB", "795.1", "–")


def test_a_part_that_is_there_is_no_zero_per_cent() -> None:
    assert (units.share(1, 1000), units.share(0, 1000), units.share(1, 0)) == ("<1%", "0%", "–")


@pytest.mark.parametrize("text", ["24MiB", "1000B", "3GiB"])
def test_a_budget_is_offered_as_one_would_type_it(text: str) -> None:
    from vramtop.protocol.lesson.settings import parse_size

    assert parse_size(units.typed_size(parse_size(text))) == parse_size(text)


def test_rates_and_times_keep_three_digits() -> None:
    assert (units.rate(103_456.0), units.rate(None)) == ("103,000", "–")
    assert (units.seconds(0.00062), units.seconds(1.2)) == ("0.62 ms", "1.20 s")


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (1000, "1k"), (7500, "7.5k"), (99_960, "100k"), (1_500_000, "1.5M")],
)
def test_a_count_needs_little_room(number: int, text: str) -> None:
    assert units.count(number) == text


def test_what_is_too_long_ends_in_an_ellipsis() -> None:
    assert (units.cut("abcdef", 4), units.cut("abc", 4), units.cut("abc", 0)) == ("abc…", "abc", "")
