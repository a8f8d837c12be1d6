"""The types in which a value of an image or a model can be stored: bits, ranges, digits."""

from __future__ import annotations

import math

import msgspec


class NumberType(msgspec.Struct, frozen=True):
    """A type of `bits` in all; a floating-point type has `exponent` and `fraction` bits.

    An unsigned integer has no `exponent`.
    """

    name: str
    bits: int
    exponent: int | None = None
    fraction: int = 0

    @property
    def bytes(self) -> int:
        """The bytes of a value."""
        return self.bits // 8

    @property
    def low(self) -> float:
        """The lowest value."""
        return 0 if self.exponent is None else -self.high

    @property
    def high(self) -> float:
        """The highest finite value; by IEEE 754 (2 - 2^-fraction) · 2^(2^(exponent-1) - 1)."""
        if self.exponent is None:
            return (1 << self.bits) - 1
        return math.ldexp(2.0 - math.ldexp(1.0, -self.fraction), 2 ** (self.exponent - 1) - 1)

    @property
    def digits(self) -> str:
        """The decimal digits that a value keeps: floor(fraction · log10 2), as C defines it."""
        return "whole" if self.exponent is None else str(self.fraction * 30_103 // 100_000)

    @property
    def range(self) -> str:
        """`0 … 255`, `±65,504`, `±3.40e38`."""
        if self.exponent is None:
            return f"{self.low:,} … {self.high:,}"
        if self.high < 1e6:
            return f"±{self.high:,.0f}"
        return f"±{self.high:.2e}".replace("e+", "e")


NUMBER_TYPES = (
    NumberType("uint8", 8),
    NumberType("float16", 16, exponent=5, fraction=10),
    NumberType("bfloat16", 16, exponent=8, fraction=7),
    NumberType("float32", 32, exponent=8, fraction=23),
    NumberType("float64", 64, exponent=11, fraction=52),
)
