from __future__ import annotations

import pytest
from made import BEGUN, HELLO, P, after, configured, log_of, measured, out_of_memory, sample
from vramtop.protocol.lesson.messages import Evaluated, LessonEnded, LessonOutOfMemory, WouldFit
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import Answer, Failed, Flow, Note
from vramtop.protocol.split import Split
from vramtop.tui.state.folding import fold
from vramtop.tui.state.history import History, OutOfMemoryMark
from vramtop.tui.state.program import MAX_ENTRIES
from vramtop.tui.widgets.headlines import Headline, headline
from vramtop.tui.worker.link import WorkerGone, WorkerLine


def failed(restored: int | None) -> LessonOutOfMemory:
    """An out of memory in the middle of the step, as the allocator reports it."""
    held = Split(parameters=P, activations=2**22)
    return out_of_memory(split=held, restored=restored, wanted=2**24, free=2**22)


WOULD_FIT = WouldFit(Settings(batch_size=8192), 24 * 2**20, 3_294)


def test_a_session_begins() -> None:
    state = after(*BEGUN)
    assert state.life == "running"
    assert state.measured == measured()
    assert [visit.batch_size for visit in state.lesson.visited] == [64]


def test_a_change_of_batch_size_is_news_with_both_peaks() -> None:
    state = after(*BEGUN, configured(batch_size=128))
    assert state.measured is None
    state = fold(state, measured(128))
    assert state.news is not None
    assert headline(state.news).text == "batch 64 → 128: peak 2.14 MiB → 2.33 MiB"
    assert [visit.batch_size for visit in state.lesson.visited] == [64, 128]


def test_news_of_several_changes_tells_of_what_was_measured_before_and_after_them() -> None:
    changes = (configured(batch_size=128), configured(batch_size=256), measured(256))
    assert headline(after(*BEGUN, *changes).news) == Headline(
        "batch 64 → 256: peak 2.14 MiB → 2.72 MiB",
        shorter=(
            "batch 256: peak 2.14 MiB → 2.72 MiB",
            "peak 2.14 MiB → 2.72 MiB",
            "peak 2.72 MiB",
        ),
    )


def test_a_first_step_without_the_optimizers_state_is_no_peak_to_tell_of() -> None:
    state = after(*BEGUN, configured(optimizer="adamw"), measured(settled=False))
    assert headline(state.news) == Headline("optimizer adam → adamw", shorter=("adamw",))
    state = fold(state, measured())
    assert headline(state.news).text == "optimizer adam → adamw: peak 2.14 MiB → 2.14 MiB"


@pytest.mark.parametrize("change", [{"dataset": "cifar10"}, {"hidden": 256}])
def test_another_model_begins_with_no_figures_of_the_one_before(change: dict[str, object]) -> None:
    seen = Evaluated(1, 0.3, 0.9, 1000, 1000, None)
    state = after(*BEGUN, seen, configured(**change))
    assert (state.sample, state.history, state.lesson.evaluated) == (None, History(), None)
    assert state.resident == 2**29


def test_when_nothing_fits_it_is_stuck_until_something_does() -> None:
    state = after(HELLO, configured(batch_size=8192), failed(None))
    assert state.lesson.stuck
    assert not fold(fold(state, configured(batch_size=16)), measured(16)).lesson.stuck


def test_an_anatomy_of_another_batch_size_is_not_taken() -> None:
    assert after(*BEGUN, measured(63)).measured == measured()


def test_a_new_learning_rate_keeps_the_anatomy() -> None:
    state = after(*BEGUN, configured(learning_rate=0.1))
    assert state.measured is not None
    assert state.news is not None
    assert headline(state.news).text == "lr 0.001 → 0.1"


def test_another_optimizer_begins_another_table() -> None:
    assert after(*BEGUN, configured(optimizer="sgd")).lesson.visited == ()


def test_out_of_memory_is_the_news_also_after_the_way_back() -> None:
    state = after(*BEGUN, configured(batch_size=8192), failed(64), configured(), measured())
    assert state.news is not None
    assert headline(state.news).trouble
    text = "batch 8,192 out of memory, back to 64 · forward, relu wanted 16.0 MiB, 4.00 MiB free"
    assert headline(state.news).text == text
    assert log_of(state)[-3:] == (
        text,
        "held then 4.39 MiB: parameters 397.5 KiB, activations 4.00 MiB; "
        "it would have been at least 41.2 MiB of 24.0 MiB",
        "batch 8,192 → 64",
    )
    assert [(visit.batch_size, visit.out_of_memory) for visit in state.lesson.visited] == [
        (64, False),
        (8192, True),
    ]


def test_what_would_have_fitted_joins_the_news_the_log_and_the_table() -> None:
    state = after(*BEGUN, configured(batch_size=8192), failed(64), configured(), WOULD_FIT)
    assert state.news is not None
    assert headline(state.news).text.endswith(", 4.00 MiB free · 3,294 would fit (predicted)")
    assert log_of(state)[-1] == "of batch 8,192: 3,294 would fit (predicted) in 24.0 MiB"
    assert [visit.would_fit for visit in state.lesson.visited] == [None, WOULD_FIT]


def test_what_would_have_fitted_does_not_hide_later_news() -> None:
    begun = (*BEGUN, configured(batch_size=8192), failed(64), configured(), measured())
    state = after(*begun, configured(learning_rate=0.1), WOULD_FIT)
    assert headline(state.news) == Headline("lr 0.001 → 0.1", shorter=("lr 0.1",))


def test_where_it_cannot_be_known_nothing_is_said_of_what_would_fit() -> None:
    begun = (*BEGUN, configured(batch_size=8192), failed(64))
    unknown = WouldFit(Settings(batch_size=8192), 2**20, None)
    assert after(*begun, unknown) == after(*begun)


def test_an_out_of_memory_has_its_place_on_the_trends_axis() -> None:
    state = after(*BEGUN, configured(batch_size=8192), failed(64))
    assert state.history.out_of_memory == (OutOfMemoryMark(640, 8192),)
    # The settings that come back may be older than the last step, a short one that did fit.
    back = fold(fold(state, configured()), sample(576))
    assert back.history.out_of_memory == (OutOfMemoryMark(576, 8192),)
    later = fold(fold(back, sample(1280)), sample(64))
    assert later.history.out_of_memory == ()


def test_where_there_is_no_way_back_the_news_says_what_to_press() -> None:
    state = after(HELLO, configured(batch_size=8192), failed(None))
    assert state.news is not None
    assert headline(state.news).text.startswith(
        "batch 8,192 out of memory, press - or raise the budget with v · forward, relu wanted"
    )


def test_what_ran_out_of_memory_may_fit_another_budget() -> None:
    state = after(*BEGUN, failed(64), configured(budget=2**30))
    assert [visit.batch_size for visit in state.lesson.visited] == [64]


def test_a_boundary_is_held_until_the_training_goes_on() -> None:
    split = Split(parameters=5)
    state = after(*BEGUN, Flow(True, False), sample(704, phase="forward", split=split))
    assert state.held is not None
    assert (state.held.phase, state.held.split) == ("forward", split)
    assert fold(state, Flow(False, False)).held is None


def test_every_sample_of_the_training_is_in_its_history() -> None:
    state = after(*BEGUN, sample(704), configured(batch_size=128), sample(768, batch_size=128))
    assert [(point.at, point.batch_size) for point in state.history.points] == [
        (640, 64),
        (704, 64),
        (768, 128),
    ]


def test_the_log_is_bounded() -> None:
    assert len(after(*(Note(str(line)) for line in range(1000))).log) == MAX_ENTRIES


def test_a_short_last_batch_does_not_count_as_a_visit() -> None:
    assert len(after(*BEGUN, sample(700, batch_size=48)).lesson.visited) == 1


@pytest.mark.parametrize(("code", "text"), [(-9, "SIGKILL"), (3, "exit code 3"), (-99, "99")])
def test_a_worker_that_is_gone_says_how(code: int, text: str) -> None:
    state = after(*BEGUN, WorkerLine("said"), WorkerGone(code, ("said", "last words")))
    assert state.resident == 0
    assert state.life == "gone"
    assert state.news is not None
    assert text in headline(state.news).text
    assert "last words" in headline(state.news).text
    assert log_of(state).count("said") == 1
    assert state.measured is not None


def test_a_reason_given_outlives_the_exit_that_follows() -> None:
    state = after(*BEGUN, Failed("the disk is full", usage=False), WorkerGone(1, ()))
    assert state.life == "failed"
    assert state.news is not None
    assert "the disk is full" in headline(state.news).text


def test_only_a_refusal_is_logged() -> None:
    assert after(Answer(1, None)).log == ()
    assert log_of(after(Answer(1, "cannot be"))) == ("cannot be",)


def test_an_evaluation_is_logged_and_an_end_ends_the_session() -> None:
    state = after(*BEGUN, Evaluated(1, 0.3, 0.9, 1000, 1000, None), LessonEnded(10, 640))
    assert state.life == "ended"
    assert any("90.00%" in line for line in log_of(state))


def test_an_evaluations_peak_is_called_its_own() -> None:
    state = after(*BEGUN, Evaluated(1, 0.3, 0.9, 1000, 1000, Split(parameters=2**20)))
    assert log_of(state)[-1] == "epoch 1: test 90.00%, the evaluation's peak 1.00 MiB"
    short = out_of_memory(
        needed=2**21, limit=2**20, phase="evaluation", split=Split(parameters=2**20), restored=500
    )
    assert log_of(after(*BEGUN, short))[-1] == (
        "the evaluation held then 1.00 MiB: parameters 1.00 MiB; "
        "it would have been at least 2.00 MiB of 1.00 MiB"
    )


def test_evaluations_in_a_row_keep_one_line_of_the_log():
    first, second = (Evaluated(epoch, 0.3, 0.9, 1000, 1000, None) for epoch in (1, 2))
    state = after(*BEGUN, first, second)
    assert state.lesson.evaluated == second
    assert sum("epoch" in line for line in log_of(state)) == 1


def test_an_evaluation_that_does_not_fit_does_not_hide_a_batch_that_did_not() -> None:
    evaluation = out_of_memory(
        batch_size=1000, phase="evaluation", operator="aten.addmm.default", restored=500
    )
    text = "test data 1,000 at a time out of memory, now 500 · addmm"
    assert after(*BEGUN, evaluation).news is None
    both = after(*BEGUN, failed(restored=64), evaluation)
    assert both.news is not None
    assert headline(both.news).trouble
    assert "back to 64" in headline(both.news).text
    assert log_of(both)[-1] == text


def test_the_allocators_own_words_are_logged_where_it_gives_no_figures() -> None:
    state = after(
        *BEGUN,
        out_of_memory(batch_size=128, needed=None, limit=None, operator="", detail="no bytes left"),
    )
    text = "batch 128 out of memory, back to 64 · forward"
    assert log_of(state)[-2:] == ("no bytes left", text)
