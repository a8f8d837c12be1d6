from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vramtop.protocol.commands import SLOW_SECONDS
from vramtop.tui.state.walk import FRAME_SECONDS, WALK_SECONDS, Walk

WALKS = st.tuples(st.integers(0, 500), st.integers(1, 300)).map(lambda w: Walk(w[0], sum(w)))


def test_a_walk_begins_at_its_first_moment_and_ends_at_its_last() -> None:
    walk = Walk(8, 22)
    assert walk.at(0) == 8
    assert walk.at(walk.seconds) == 22
    assert walk.at(1e9) == 22


@pytest.mark.parametrize(("walk", "seconds"), [(Walk(0, 1), 0.4), (Walk(8, 22), WALK_SECONDS)])
def test_few_moments_take_less_time_than_many(walk: Walk, seconds: float) -> None:
    assert walk.seconds == pytest.approx(seconds)


@given(WALKS)
def test_every_walk_ends_while_slow_motion_still_holds_the_step(walk: Walk) -> None:
    assert walk.seconds < SLOW_SECONDS


@given(WALKS, st.floats(0, 2), st.floats(0, 2))
def test_a_walk_never_goes_back(walk: Walk, one: float, other: float) -> None:
    first, second = sorted((one, other))
    assert walk.first <= walk.at(first) <= walk.at(second) <= walk.last


@given(WALKS)
def test_asked_when_it_says_a_walk_has_a_calm_rate_and_comes_to_its_end(walk: Walk) -> None:
    elapsed, places = 0.0, [walk.at(0)]
    while places[-1] != walk.last:
        wait = walk.wait(elapsed)
        assert wait >= FRAME_SECONDS
        elapsed += wait
        places.append(walk.at(elapsed))
    assert elapsed <= walk.seconds + FRAME_SECONDS
    assert len(places) <= walk.seconds / FRAME_SECONDS + 2


def test_where_there_is_time_for_all_no_moment_is_passed_over() -> None:
    walk, elapsed, places = Walk(8, 22), 0.0, [8]
    while places[-1] != walk.last:
        elapsed += walk.wait(elapsed) + 1e-6
        places.append(walk.at(elapsed))
    assert places == list(range(8, 23))
