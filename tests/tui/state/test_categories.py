"""Measured bytes beside those that the program expects."""

from __future__ import annotations

from made import configured, measured
from msgspec.structs import replace
from vramtop.protocol.messages import Difference, Expectation, Program
from vramtop.protocol.split import CATEGORIES
from vramtop.tui.state.categories import category_facts, expected_total


def test_each_category_has_a_line_with_what_the_messages_say_of_it() -> None:
    program, seen = configured(), measured()
    lines = category_facts(CATEGORIES, program, seen, {})
    assert tuple(line.category for line in lines) == CATEGORIES
    assert tuple(line.expected for line in lines[:-1]) == program.expected
    assert tuple(line.difference for line in lines[:-1]) == seen.differences
    temporaries = lines[-1]
    assert (temporaries.expected, temporaries.difference) == (None, None)
    assert temporaries.high_water == seen.anatomy.high_water.temporaries
    assert temporaries.phase == "optimizer"


def test_what_is_expected_stands_there_before_anything_is_measured() -> None:
    lines = category_facts(CATEGORIES, configured(), None, {})
    assert all(line.high_water is None for line in lines)
    assert lines[0].expected == Expectation("parameters", "4 × 101,770", 407_080)
    assert expected_total(lines) == configured().formula.total


def test_a_program_without_expectations_has_lines_all_the_same() -> None:
    lines = category_facts(CATEGORIES, Program("train.py", configured().device), measured(), {})
    assert next(line.high_water for line in lines) == 407_080
    assert expected_total(lines) is None


def test_a_difference_without_a_reason_is_unexplained() -> None:
    found = (
        Difference("parameters", 0),
        Difference("gradients", 4),
        Difference("batch_data", 8, ("targets",)),
    )
    lines = category_facts(CATEGORIES, configured(), replace(measured(), differences=found), {})
    assert [line.category for line in lines if line.unexplained] == ["gradients"]
