"""What a step is: two periods of one kind, by the numbers of the marks."""

from __future__ import annotations

from vramtop.observer.program.periods import Done, Periods

ONE, OTHER = 1, 2  # optimizers
NET = 7  # a module


def test_a_step_runs_from_an_optimizers_step_to_its_next() -> None:
    periods = Periods([ONE], optimizers=True)
    assert periods.optimizer(0, ONE) is None
    assert periods.optimizer(4, ONE) is None
    assert periods.optimizer(8, ONE) == Done("training", (0, 4, 8), ONE)


def test_accumulated_backward_passes_are_one_step() -> None:
    periods = Periods([ONE], optimizers=True)
    done = None
    for mark in range(12):
        assert periods.backward(2 * mark) is None
        done = periods.optimizer(2 * mark + 1, ONE) if mark % 4 == 3 else None
    assert done == Done("training", (7, 15, 23), ONE)


def test_optimizers_that_take_turns_are_one_cycle() -> None:
    periods = Periods([OTHER, ONE, OTHER], optimizers=True)
    steps = [periods.optimizer(mark, (ONE, OTHER)[mark % 2]) for mark in range(5)]
    assert steps == [None] * 5
    assert periods.optimizer(5, OTHER) == Done("training", (1, 3, 5), OTHER)


def test_the_rarest_optimizer_bounds_the_cycle() -> None:
    periods = Periods([ONE] * 5 + [OTHER], optimizers=True)
    done, marks = [], 0
    for _ in range(3):
        for who in (*[ONE] * 5, OTHER):
            done.append(periods.optimizer(marks, who))
            marks += 1
    assert done[:-1] == [None] * 17
    assert done[-1] == Done("training", (5, 11, 17), OTHER)


def test_an_optimizer_that_has_stopped_is_not_waited_for_for_ever() -> None:
    periods = Periods([ONE, OTHER], optimizers=True)
    done = [periods.optimizer(mark, ONE) for mark in range(64)]
    assert done[:-1] == [None] * 63
    assert done[-1] == Done("training", (61, 62, 63), ONE)


def test_an_update_by_hand_runs_from_backward_to_backward() -> None:
    periods = Periods()
    assert [periods.backward(mark) for mark in (0, 3)] == [None, None]
    assert periods.backward(6) == Done("training", (0, 3, 6), None)


def test_optimizers_within_backward_leave_the_step_to_it() -> None:
    periods = Periods([], optimizers=True)
    for mark in (0, 3):
        periods.optimizer_in_backward()
        assert periods.backward(mark) is None
    assert periods.backward(6) == Done("training", (0, 3, 6), None)


def test_an_optimizer_that_never_steps_is_not_waited_for_for_ever() -> None:
    periods = Periods([], optimizers=True)
    done = [periods.backward(mark) for mark in range(64)]
    assert done[:-1] == [None] * 63
    assert done[-1] == Done("training", (61, 62, 63), None)


def test_calls_without_gradients_are_inference() -> None:
    periods = Periods()
    assert [periods.call(mark, NET, grad=False) for mark in (1, 3)] == [None, None]
    assert periods.call(5, NET, grad=False) == Done("inference", (1, 3, 5), None)


def test_calls_that_could_be_differentiated_are_inference_only_after_many() -> None:
    periods = Periods()
    done = [periods.call(mark, NET, grad=True) for mark in range(32)]
    assert done[:-1] == [None] * 31
    assert done[-1] == Done("inference", (29, 30, 31), None)


def test_a_cells_calls_in_a_training_are_no_inference() -> None:
    periods = Periods([ONE], optimizers=True)
    assert not any(periods.call(mark, NET, grad=True) for mark in range(100))


def test_an_evaluation_in_between_ends_no_window_of_training() -> None:
    periods = Periods([ONE], optimizers=True, inference=False)
    periods.optimizer(0, ONE)
    assert not any(periods.call(mark, NET, grad=False) for mark in range(1, 50))
    periods.optimizer(50, ONE)
    assert periods.optimizer(60, ONE) == Done("training", (0, 50, 60), ONE)


def test_calls_of_several_modules_in_turn_are_none_of_one() -> None:
    periods = Periods()
    assert not any(periods.call(mark, mark % 2, grad=False) for mark in range(20))
