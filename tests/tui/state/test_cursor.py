from __future__ import annotations

import made
import pytest
from made import HELLO, configured, out_of_memory, sample
from msgspec.structs import replace
from recorded import ANATOMY, BOUNDARIES, CURVE, GOES, PAUSED, PEAK, RECORDED, SLOW, held
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.split import Phase
from vramtop.tui.state import cursor, moments
from vramtop.tui.state.folding import fold
from vramtop.tui.state.lesson.folding import begun
from vramtop.tui.state.state import HeldStep, State
from vramtop.tui.state.walk import Walk
from vramtop.tui.worker.link import Received


def after(*messages: Received) -> State:
    """The state after these messages of a training whose step is recorded."""
    return made.after(HELLO, configured(), RECORDED, *messages)


@pytest.mark.parametrize(
    ("phase", "walk"),
    [
        ("load", Walk(0, 1)),
        ("forward", Walk(2, 3)),
        ("backward", Walk(4, 7)),
        ("optimizer", Walk(8, 9)),
    ],
)
def test_the_walk_to_a_boundary_goes_through_the_moments_of_its_phase(
    phase: Phase, walk: Walk
) -> None:
    state = after(PAUSED, held(phase))
    assert (state.walk, state.cursor) == (walk, walk.first)


def test_a_walk_shows_each_moment_and_at_its_end_the_boundary_itself() -> None:
    state, seen = after(SLOW, held("backward")), []
    walk = state.walk
    assert walk is not None
    for step in range(5):
        state = cursor.walked(state, step * walk.seconds / 4 + 1e-6)
        assert state.seen is not None
        seen.append(state.seen.split)
    assert seen == [moment.split for moment in CURVE[4:8]] + [BOUNDARIES["backward"]]
    assert (state.walk, state.cursor, state.place) == (None, None, 7)
    assert isinstance(state.seen, HeldStep)
    assert cursor.walked(state, 99) is state


def test_a_phase_of_one_moment_is_no_walk() -> None:
    state = after(PAUSED, held("zero_grad"))
    assert (state.walk, state.cursor, state.place) == (None, None, 10)


@pytest.mark.parametrize(
    "other",
    [
        held("backward", rows=48),
        held("backward", split=replace(BOUNDARIES["backward"], temporaries=4)),
    ],
)
def test_another_steps_curve_is_never_walked(other: Received) -> None:
    state = after(PAUSED, other)
    assert (state.walk, state.cursor, state.place) == (None, None, None)
    assert state.seen is state.held


def test_a_first_optimizer_step_is_not_walked() -> None:
    unsettled = replace(RECORDED, settled=False)
    assert after(unsettled, PAUSED, held("optimizer")).walk is None


def test_the_next_boundary_ends_a_walk_at_once() -> None:
    state = after(SLOW, held("forward"), held("backward"))
    assert (state.walk, state.cursor) == (Walk(4, 7), 4)
    state = fold(state, held("zero_grad"))
    assert (state.walk, state.cursor) == (None, None)


def test_a_pause_stops_a_walk_where_it_is() -> None:
    walking = cursor.walked(after(SLOW, held("backward")), 0.45)
    assert walking.cursor == 6
    paused = fold(walking, replace(PAUSED, slow=True))
    assert (paused.walk, paused.cursor) == (None, 6)
    # The next phase is another wish.
    assert fold(paused, replace(PAUSED, slow=True)).cursor is None


def test_going_on_leaves_the_moment() -> None:
    for flow in (GOES, PAUSED, SLOW):
        assert fold(cursor.put(after(PAUSED, held("load")), 5), flow).cursor is None


def test_slow_motion_goes_on_behind_a_moment_that_was_chosen() -> None:
    state = cursor.put(after(SLOW, held("load")), 5)
    state = fold(state, held("forward"))
    assert (state.cursor, state.walk) == (5, None)
    assert state.held == HeldStep("forward", BOUNDARIES["forward"])
    assert cursor.taken_away(state).seen == state.held


def test_moments_are_gone_through_from_the_boundary_or_from_the_peak() -> None:
    boundary = cursor.taken_away(after(PAUSED, held("backward")))
    assert cursor.moved(boundary, -1).cursor == 6
    assert cursor.moved(boundary, 1).cursor == 8
    assert cursor.moved(after(), -1).cursor == PEAK - 1
    assert cursor.moved(after(PAUSED, held("backward")), 1).cursor == 5


def test_the_cursor_stays_within_the_step() -> None:
    assert cursor.put(after(), -5).cursor == 0
    assert cursor.put(after(), 99).cursor == len(CURVE) - 1
    assert cursor.put(begun(Settings()), 3).cursor is None
    assert cursor.moved(begun(Settings()), 3).cursor is None


def test_the_cursor_stays_while_the_same_step_is_measured_again_and_goes_with_it() -> None:
    state = cursor.put(after(), 5)
    state = fold(fold(state, sample(704)), replace(RECORDED, step=10))
    assert state.cursor == 5
    other = replace(ANATOMY, curve=CURVE[:-1])
    assert fold(state, replace(RECORDED, anatomy=other)).cursor is None
    assert fold(state, configured(batch_size=128)).cursor is None
    assert fold(state, out_of_memory(batch_size=64, restored=32)).cursor is None


def test_a_moment_tells_what_changed_and_which_operator_allocated_it() -> None:
    spot = moments.spot(ANATOMY, 5)
    assert (spot.changes, spot.operator, spot.grew) == (
        (("gradients", 4096),),
        "aten.mm.default",
        True,
    )


def test_a_release_is_named_after_the_last_operator_of_its_phase() -> None:
    spot = moments.spot(ANATOMY, 6)
    assert spot.changes == (("activations", -30_720), ("temporaries", -30_720))
    assert (spot.operator, spot.grew) == ("aten.mm.default", False)
    assert moments.spot(ANATOMY, 10).operator == ""
    assert moments.spot(ANATOMY, 0).changes == ()
