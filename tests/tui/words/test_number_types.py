"""The table of data types, against PyTorch's own."""

from __future__ import annotations

import math

import pytest
import torch
from vramtop.tui.words.number_types import NUMBER_TYPES, NumberType

FLOATS = [kind for kind in NUMBER_TYPES if kind.exponent is not None]


@pytest.mark.parametrize("kind", FLOATS, ids=lambda kind: kind.name)
def test_a_floating_point_types_bits_and_range_are_pytorchs(kind: NumberType) -> None:
    known = torch.finfo(getattr(torch, kind.name))
    assert (kind.bits, kind.low, kind.high) == (known.bits, known.min, known.max)


@pytest.mark.parametrize("kind", FLOATS, ids=lambda kind: kind.name)
def test_the_digits_that_a_type_keeps_follow_from_its_step_at_one(kind: NumberType) -> None:
    step = torch.finfo(getattr(torch, kind.name)).eps
    assert int(kind.digits) == math.floor(-math.log10(step))


def test_uint8_has_pytorchs_bits_and_range() -> None:
    known, (kind, *_) = torch.iinfo(torch.uint8), NUMBER_TYPES
    assert (kind.bits, kind.low, kind.high) == (known.bits, known.min, known.max)


@pytest.mark.parametrize("kind", NUMBER_TYPES, ids=lambda kind: kind.name)
def test_a_tensor_of_a_type_takes_its_bytes_a_value(kind: NumberType) -> None:
    assert torch.empty(1, dtype=getattr(torch, kind.name)).element_size() == kind.bytes


def test_ranges_are_written_as_one_knows_them() -> None:
    assert [(kind.name, kind.range) for kind in NUMBER_TYPES] == [
        ("uint8", "0 … 255"),
        ("float16", "±65,504"),
        ("bfloat16", "±3.39e38"),
        ("float32", "±3.40e38"),
        ("float64", "±1.80e308"),
    ]
