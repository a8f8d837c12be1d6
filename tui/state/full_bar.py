"""How many bytes fill the split bar."""

from __future__ import annotations

from typing import Literal

BarScale = Literal["power of two", "peak", "budget"]
_KEEPS = 4  # a bar filled to less than a quarter gets another scale


def next_power(number: int) -> int:
    """The least power of two that is not smaller than the number."""
    return 1 << max(0, number - 1).bit_length()


def kept(full: int, largest: int) -> int:
    """The power of two that fills the bar, which was `full` bytes before.

    It stays the same while `largest` fits and fills a quarter of the bar. So the bar gets shorter
    when the peak sinks.
    """
    return full if largest <= full <= _KEEPS * largest else next_power(largest)


def full_bar(scale: BarScale, largest: int, budget: int | None, power: int = 0) -> int:
    """How many bytes fill the bar; never fewer than the `largest` that is shown.

    `power` is the power of two in force, 0 where there is none.
    """
    if scale == "budget" and budget is not None:
        return max(budget, largest)
    return largest if scale == "peak" else kept(power, largest)
