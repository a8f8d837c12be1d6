"""The largest size that fits, found by halving the interval."""

from __future__ import annotations

from collections.abc import Callable, Generator


def bisect(fits: Callable[[int], bool], low: int, high: int) -> int:
    """The largest size that fits; `low` is known to fit and `high` not to."""
    search = stepwise(fits, low, high)
    while True:
        try:
            next(search)
        except StopIteration as end:
            largest: int = end.value
            return largest


def stepwise(fits: Callable[[int], bool], low: int, high: int) -> Generator[None, None, int]:
    """The same as a generator, which yields before it asks about a size."""
    while high - low > 1:
        yield
        middle = (low + high) // 2
        if fits(middle):
            low = middle
        else:
            high = middle
    return low
