"""Axes with round ends. They change rarely, so that a new value seldom moves the old ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import msgspec

LEAST = 1e-6  # smaller values are drawn as this, since 0 has no logarithm
_DECIMAL = (1.0, 2.0, 5.0, 10.0)
_FINER = (1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0)
_BINARY = (1.0, 1.5, 2.0)


class Scale(msgspec.Struct, frozen=True):
    """From `low` to `high`."""

    low: float
    high: float
    logarithmic: bool = False

    def depth(self, levels: int) -> Callable[[float], int]:
        """The function from a value to its level, from 0 at the top down to `levels` - 1."""
        measured = _logarithm if self.logarithmic else float
        high, lowest = measured(self.high), levels - 1
        step = lowest / (high - measured(self.low))
        return lambda value: min(lowest, max(0, round((high - measured(value)) * step)))


def _logarithm(value: float) -> float:
    return math.log(max(LEAST, value))


def logarithmic(values: Sequence[float]) -> Scale:
    """Around all of the values, from one of 1, 2 and 5 times a power of ten to another."""
    low = _below(max(LEAST, min(values, default=1.0)))
    high = _above(max(LEAST, max(values, default=1.0)), _DECIMAL, 10)
    return Scale(low, high if high > low else 2 * low, logarithmic=True)


def counting(values: Sequence[float]) -> Scale:
    """From 0 to 1, 2 or 5 times a power of ten."""
    return Scale(0, _above(max([1.0, *values]), _DECIMAL, 10))


def sizing(values: Sequence[float]) -> Scale:
    """From 0 to a power of two, or one and a half times that."""
    return Scale(0, _above(max([1.0, *values]), _BINARY, 2))


def length(images: int) -> int:
    """The length of an axis for `images`: a round number, at most two thirds more."""
    return math.ceil(_above(max(2, images), _FINER, 10))


def _above(value: float, steps: Sequence[float], base: int) -> float:
    """The least step times a power of the base that is no less than the value."""
    power = _power(value, base)
    return next(step * power for step in steps if step * power >= value)


def _below(value: float) -> float:
    power = _power(value, 10)
    return next(step * power for step in reversed(_DECIMAL) if step * power <= value)


def _power(value: float, base: int) -> float:
    """The largest power of the base that is no more than the value."""
    exponent = math.floor(math.log(value, base))
    # The logarithm may be rounded across a whole number.
    power = float(base) ** exponent
    if power > value:
        return float(base) ** (exponent - 1)
    return power if power * base > value else power * base
