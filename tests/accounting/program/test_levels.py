"""Whether memory rises is seen from the levels after steps alone, also where steps differ."""

from __future__ import annotations

import random
from collections.abc import Iterable

from vramtop.accounting.program.levels import Levels, Rise
from vramtop.protocol.observed.pools import Level

GPU = "cuda:0"


def level(step: int, held: int) -> Level:
    return Level(GPU, step, held)


def rise_of(held: Iterable[int]) -> Rise | None:
    levels = Levels()
    for number, each in enumerate(held):
        levels.add(level(10 + 10 * number, each))
    return levels.rise


def test_twelve_levels_of_which_each_is_higher_are_a_rise() -> None:
    steady = [1000 + 40 * number for number in range(12)]
    assert rise_of(steady[:11]) is None
    rise = rise_of(steady)
    assert rise == Rise(level(10, 1000), level(120, 1440))
    assert rise.bytes_a_step == 4


def test_what_stays_or_falls_or_stands_still_once_does_not_rise() -> None:
    steady = [1000 + number for number in range(12)]
    assert rise_of([1000] * 500) is None
    assert rise_of([*steady[:6], *steady[5:11]]) is None
    assert rise_of([*steady, 1000]) is None


def test_levels_without_a_trend_do_not_rise_in_a_day() -> None:
    chance = random.Random(42)
    levels = Levels()
    for number in range(2 * 86_400):
        levels.add(level(number, chance.randrange(10**9)))
        assert levels.rise is None


def test_a_rise_that_steps_of_all_sizes_hide_shows_on_a_coarser_scale() -> None:
    chance = random.Random(42)
    levels = Levels()
    for number in range(2000):
        levels.add(level(number, 40 * number + chance.choice([0, 3000])))
    rise = levels.rise
    assert rise is not None
    assert 39 < rise.bytes_a_step < 41
    assert rise.last.step - rise.first.step > 500


def test_what_has_fallen_since_does_not_rise_on_a_coarser_scale_either() -> None:
    grown = [1000 + number for number in range(48)]
    assert rise_of([*grown[:47], 1046, 1047]) is not None
    assert rise_of([*grown, 500]) is None


def test_a_rise_that_has_ended_is_none_soon() -> None:
    grown = [min(1000 + number, 1048) for number in range(60)]
    assert rise_of(grown[:48]) is not None
    assert rise_of([*grown, *[1048] * 8]) is None


def test_a_program_whose_steps_are_counted_anew_begins_anew() -> None:
    levels = Levels()
    for number in range(12):
        levels.add(level(100 + number, 1000 + number))
    assert levels.rise is not None
    levels.add(level(5, 9000))
    assert levels.rise is None
