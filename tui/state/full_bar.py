"""How many bytes fill the split bar."""

from __future__ import annotations

from typing import Literal

Scale = Literal["power of two", "peak", "budget"]
_KEEPS = 4  # a bar that is filled to less than one part in so many gets another scale


def next_power(number: int) -> int:
    """The least power of two that is no smaller."""
    return 1 << max(0, number - 1).bit_length()


def kept(full: int, largest: int) -> int:
    """The power of two that fills the bar, where it was `full` bytes before.

    It stays while it is enough and not far too much: so a peak that sinks makes the bar shorter.
    """
    return full if largest <= full <= _KEEPS * largest else next_power(largest)


def full_bar(scale: Scale, largest: int, budget: int | None, power: int = 0) -> int:
    """How many bytes fill the bar: never fewer than what is to be shown.

    `power` is the power of two that is in force, where there is one.
    """
    if scale == "budget" and budget is not None:
        return max(budget, largest)
    return largest if scale == "peak" else kept(power, largest)
