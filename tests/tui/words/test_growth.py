"""What grows from step to step, in words."""

from __future__ import annotations

from msgspec.structs import replace
from vramtop.protocol.observed.report import Growth, Held
from vramtop.tui.words.growth import grows, whose

GROWTH = Growth(
    category="other",
    since=1_000,
    until=3_000,
    before=2**20,
    bytes=3 * 2**20,
    steps_left=123_456,
    kept=(Held(1024, 2, "kept since the step before", "train.py:14"),),
    held=(Held(3 * 2**20, 3_000, "history in train.py", ""),),
)


def test_the_rate_the_ends_and_the_steps_left_are_told() -> None:
    assert grows(GROWTH) == (
        "Other grows by 1.02 KiB a step, from 1.00 MiB after step 1,000 to 3.00 MiB after step "
        "3,000; the device is full in 123,456 steps at most"
    )
    assert grows(replace(GROWTH, steps_left=None)).endswith("after step 3,000")


def test_what_grows_by_levels_alone_is_all_memory() -> None:
    assert grows(replace(GROWTH, category=None)).startswith("memory grows by 1.02 KiB a step")


def test_less_than_a_byte_a_step_is_no_zero() -> None:
    assert "grows by 0.05 B a step" in grows(replace(GROWTH, bytes=2**20 + 100))


def test_lines_and_holders_are_named_each_once_and_at_most_three() -> None:
    assert whose(GROWTH) == (
        "made at train.py:14, held by history in train.py (3,000 blocks of 3.00 MiB)"
    )
    several = tuple(Held(8, 1, "kept", f"train.py:{line}") for line in (1, 2, 1, 3, 4, 5))
    assert whose(replace(GROWTH, kept=several, held=())) == (
        "made at train.py:1, train.py:2, train.py:3 and 2 more"
    )
    assert not whose(replace(GROWTH, kept=(), held=()))
