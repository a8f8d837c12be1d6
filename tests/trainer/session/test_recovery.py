"""The states after an out-of-memory, one transition at a time, with a scripted training."""

from __future__ import annotations

import msgspec
import pytest
from scripted_training import FACTS, LARGE, SMALL, Said, ScriptedSetup, fail, made, settled
from vramtop.protocol.lesson.settings import Settings
from vramtop.trainer.session.recovery import Recovery, State

# ---- retried --------------------------------------------------------------------------------


def test_a_plain_step_that_fails_is_retried_from_an_empty_cache_and_recorded():
    recovery, setup, said = made()
    fail(recovery)
    assert recovery.state is State.RETRIED
    assert setup.log == ["drop_step", "release", "unsettle"]
    assert (said.retries, said.failures) == (1, [])


def test_on_cuda_the_retry_frees_all_memory_and_restores_the_training_as_it_is():
    recovery, setup, _ = made(on_cuda=True)
    setup.steps = 7
    recovery.step_failed(FACTS, recorded=True)
    assert recovery.state is State.RETRIED
    assert setup.log == ["drop_step", "make_room", "restore 64", "unsettle"]
    assert setup.steps == 7


def test_a_retry_that_fits_works_again_and_a_later_failure_is_retried_too():
    recovery, _, said = made()
    fail(recovery)
    recovery.step_ended(full=False)
    assert recovery.state is State.WORKING
    fail(recovery)
    assert (recovery.state, said.retries) == (State.RETRIED, 2)


@pytest.mark.parametrize(("recorded", "observe"), [(True, True), (False, False)])
def test_a_retry_that_would_teach_nothing_is_left_out(recorded: bool, observe: bool):
    recovery, _, said = made(observe=observe)
    recovery.step_failed(FACTS, recorded=recorded)
    assert (recovery.state, said.retries) == (State.WAITING, 0)


def test_an_update_cut_short_is_retried_from_the_last_snapshot_that_worked():
    recovery, setup, _ = settled()
    setup.steps, setup.cut_short = 9, True
    fail(recovery)
    assert (recovery.state, setup.steps) == (State.RETRIED, 2)


def test_an_update_cut_short_is_not_retried_where_only_other_settings_had_worked():
    recovery, setup, said = settled()
    recovery.change(LARGE)
    setup.cut_short = True
    fail(recovery)
    assert (said.retries, said.failures) == (0, [(4096, 64)])
    assert setup.settings == SMALL


# ---- waiting, and back to other settings ----------------------------------------------------


def test_where_no_settings_had_worked_it_waits_for_a_change():
    recovery, _, said = made(LARGE)
    fail(recovery, times=2)
    assert (recovery.state, said.failures) == (State.WAITING, [(4096, None)])
    recovery.change(SMALL)
    assert recovery.state is State.WORKING


def test_settings_that_do_not_fit_give_way_to_the_last_that_did_with_their_progress():
    recovery, setup, said = settled()
    setup.steps = 5
    recovery.change(LARGE)
    setup.log.clear()
    fail(recovery, times=2)
    assert said.failures == [(4096, 64)]
    assert setup.log[-3:] == ["make_room", "adopt 64", "restore 64"]
    assert (recovery.state, setup.steps) == (State.WORKING, 5)


def test_one_full_step_is_enough_to_return_to_and_a_short_one_is_not():
    for full, back in ((True, 64), (False, None)):
        recovery, _, said = made()
        recovery.step_ended(full=full)
        recovery.change(LARGE)
        fail(recovery, times=2)
        assert said.failures == [(4096, back)]


def test_a_training_that_waited_still_waits_after_it_had_lent_its_memory():
    recovery, setup, _ = made()
    fail(recovery, times=2)
    setup.has_model = False
    recovery.resume(setup.snapshot())
    assert (recovery.state, setup.log[-2:]) == (State.WAITING, ["adopt 64", "restore 64"])
    recovery, setup, _ = settled()
    setup.has_model = False
    recovery.resume(setup.snapshot())
    assert recovery.state is State.WORKING


# ---- another order of allocation, then a smaller batch --------------------------------------


def test_on_cuda_settings_that_worked_are_placed_in_each_order_once_before_the_batch_shrinks():
    recovery, setup, said = settled(on_cuda=True)
    setup.smaller = 48
    fail(recovery, times=2)
    assert (recovery.state, setup.log[-2:]) == (State.PLACED, ["place 64 64", "unsettle"])
    fail(recovery)
    assert (recovery.state, setup.log[-2:]) == (State.PLACED, ["place 64 8", "unsettle"])
    assert said.failures == []
    fail(recovery)
    assert (recovery.state, said.failures) == (State.WORKING, [(64, 48)])
    assert setup.settings.batch_size == 48


def test_an_order_without_room_is_passed_over_for_the_next():
    recovery, setup, said = settled(on_cuda=True)
    setup.no_room = ["place"]
    fail(recovery, times=2)
    assert [entry for entry in setup.log if "place" in entry] == ["place 64 64", "place 64 8"]
    assert (recovery.state, said.failures) == (State.PLACED, [])


def test_once_settled_again_every_order_can_be_tried_again():
    recovery, setup, _ = settled(on_cuda=True)
    fail(recovery, times=3)
    recovery.step_ended(full=True)
    recovery.settled()
    fail(recovery, times=2)
    assert setup.log[-2:] == ["place 64 64", "unsettle"]


def test_a_smaller_batch_keeps_the_progress_and_can_be_returned_to():
    recovery, setup, said = settled()
    setup.steps, setup.smaller = 5, 32
    fail(recovery, times=2)
    assert (setup.settings.batch_size, setup.steps) == (32, 5)
    setup.smaller = 16
    fail(recovery, times=2)  # its own snapshot, not that of 64
    assert said.failures == [(64, 32), (32, 16)]
    assert said.retries == 2


def test_where_no_batch_fits_any_more_it_waits_with_everything_kept():
    recovery, setup, said = settled()
    setup.steps, setup.smaller = 5, 0
    fail(recovery, times=2)
    assert (recovery.state, said.failures) == (State.WAITING, [(64, None)])
    assert (setup.settings, setup.steps) == (SMALL, 5)


def test_a_smaller_batch_after_an_update_cut_short_goes_on_from_the_last_snapshot():
    recovery, setup, _ = settled()
    setup.steps, setup.smaller = 5, 32
    fail(recovery)
    setup.cut_short = True
    fail(recovery)
    assert (setup.settings.batch_size, setup.steps) == (32, 2)


# ---- pending --------------------------------------------------------------------------------


def pending() -> tuple[Recovery, ScriptedSetup, Said]:
    """A snapshot of batch 64, five steps on, that could not be restored."""
    recovery, setup, said = settled()
    setup.steps = 5
    recovery.change(LARGE)
    setup.no_room = ["restore"]
    fail(recovery, times=2)
    return recovery, setup, said


def test_a_snapshot_without_room_stays_pending_and_is_reported():
    recovery, _, said = pending()
    assert recovery.state is State.PENDING
    assert recovery.waiting
    assert recovery.pending_restore is not None
    assert recovery.pending_restore.progress.steps == 5
    assert said.failures == [(4096, 64), (64, None)]


def test_a_change_restores_what_is_pending_with_the_new_settings_but_its_own_optimizer():
    recovery, setup, _ = pending()
    setup.steps = 0
    assert recovery.restore_pending(Settings(batch_size=16, optimizer="sgd"))
    assert recovery.pending_restore is None
    assert (setup.settings.batch_size, setup.settings.optimizer) == (16, SMALL.optimizer)
    assert setup.steps == 5


def test_what_is_pending_stays_so_while_there_is_no_room():
    recovery, setup, said = pending()
    setup.no_room = ["adopt"]
    assert not recovery.restore_pending(Settings(batch_size=16))
    assert (recovery.state, said.failures[-1]) == (State.PENDING, (16, None))
    assert recovery.restore_pending(SMALL)
    assert setup.steps == 5


def test_a_change_of_the_model_drops_what_is_pending():
    recovery, setup, _ = pending()
    setup.log.clear()
    assert recovery.restore_pending(Settings(hidden=16))
    assert (recovery.pending_restore, setup.log) == (None, [])
    assert recovery.state is State.WAITING


def test_a_retry_without_room_for_its_snapshot_leaves_that_pending():
    recovery, setup, said = settled(on_cuda=True)
    setup.no_room = ["restore"]
    fail(recovery)
    assert (recovery.state, said.failures) == (State.PENDING, [(64, None)])


# ---- which batch size would have fitted -----------------------------------------------------


def test_the_largest_size_is_searched_for_the_settings_that_failed_and_answered_once():
    recovery, _, _ = settled()
    assert not recovery.searching
    recovery.change(LARGE)
    fail(recovery, times=2)
    assert recovery.search_on() is None
    assert recovery.searching
    answer = recovery.search_on()
    assert answer is not None
    assert answer.settings == LARGE
    assert not recovery.searching
    assert recovery.search_on() is None


def test_a_later_failure_replaces_the_search_of_an_earlier_one():
    recovery, _, _ = settled()
    recovery.search_largest_fit(LARGE)
    recovery.search_largest_fit(msgspec.structs.replace(LARGE, batch_size=2048))
    recovery.search_on()
    answer = recovery.search_on()
    assert answer is not None
    assert answer.settings.batch_size == 2048
