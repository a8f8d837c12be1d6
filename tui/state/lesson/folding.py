"""The messages of the lesson's worker, folded into the state."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace
from vramtop.protocol.lesson.messages import (
    Compared,
    Comparing,
    ComparisonEnded,
    Configured,
    Evaluated,
    LessonMeasured,
    LessonOutOfMemory,
    LessonSample,
    Noise,
    Picture,
    Predicted,
    SearchEnded,
    Timed,
    Tried,
    Trying,
    WouldFit,
)
from vramtop.protocol.lesson.settings import Settings
from vramtop.tui.state import history, program
from vramtop.tui.state.history import History
from vramtop.tui.state.news import News, is_trouble
from vramtop.tui.state.state import State
from vramtop.tui.worker.link import Received

from . import visits
from .facts import Before, Lesson, known
from .news import ComparisonResult, Restarted, SettingsChanged, StepOutOfMemory

# A change of a setting in `_BEGINS` begins another training. Batch sizes can be compared in one
# table only while the settings in `_MODEL` stay the same.
_BEGINS = ("dataset", "hidden")
_MODEL = (*_BEGINS, "optimizer", "device")
_SIZES = (*_MODEL, "batch_size", "accumulation")
_ALL = (*_SIZES, "rate", "budget")
# The result of a search does not depend on these.
_UNLIMITED = ("batch_size", "learning_rate", "seed")


def fold(state: State, message: Received) -> State:
    """The state of the lesson's training after this message."""
    match message:
        case Configured():
            return _configured(state, message)
        case LessonSample():
            return _sample(state, message)
        case LessonMeasured():
            return _measured(state, message)
        case Evaluated():
            return _evaluated(state, message)
        case LessonOutOfMemory():
            return _out_of_memory(state, message)
        case WouldFit():
            return _would_fit(state, message)
        case Picture():
            return _with(state, picture=message)
        case Noise():
            lesson = known(state.lesson)
            scale_known = lesson.noise_known if message.scale is None else message
            return _with(state, noise=message, noise_known=scale_known)
        case Predicted():
            return _with(state, predicted=message)
        case Trying() | Tried() | Timed() | SearchEnded():
            return _searched(state, message)
        case Comparing() | Compared() | ComparisonEnded():
            return _compared(state, message)
        case _:
            return program.fold(state, message)


def begun(settings: Settings) -> State:
    """The state before the lesson's worker has said anything."""
    return State(lesson=Lesson(settings))


def _with(state: State, **values: Any) -> State:  # noqa: ANN401 - of each field's type
    return replace(state, lesson=replace(known(state.lesson), **values))


def _differ(old: Settings, new: Settings, names: tuple[str, ...]) -> bool:
    return any(getattr(old, name) != getattr(new, name) for name in names)


def _configured(state: State, new: Configured) -> State:
    lesson = known(state.lesson)
    if lesson.configured is None:
        state = replace(state, program=new, device=new.device, life="running")
        return _with(state, configured=new, settings=new.settings)
    old = lesson.configured
    changed, begins, model = (
        _differ(old.settings, new.settings, names) for names in (_ALL, _BEGINS, _MODEL)
    )
    moved = old.device != new.device
    sizes = moved or _differ(old.settings, new.settings, _SIZES)
    visited = () if model else visits.at_rate(lesson.visited, new.settings.rate)
    if old.settings.budget != new.settings.budget:
        visited = visits.another_budget(visited)
    limits = tuple(name for name in Settings.__struct_fields__ if name not in _UNLIMITED)
    before = lesson.before
    if state.measured is not None and state.measured.settled:
        before = Before(old.settings, state.measured.anatomy.peak.bytes)
    if begins or new.fresh:
        state = _without_training(state)
    if old.settings.dataset != new.settings.dataset:
        state = _with(state, picture=None)
    news: SettingsChanged | Restarted | None = None
    if changed:
        news = SettingsChanged(old.settings, new.settings)
    elif new.fresh:
        news = Restarted()
    state = replace(
        state,
        program=new,
        device=new.device,
        device_memory=None if moved else state.device_memory,
        life="running",
        measured=None if sizes else state.measured,
        held=None,
        cursor=None,
        walk=None,
        news=state.news if lesson.recovering or news is None else news,
    )
    state = _with(
        state,
        configured=new,
        settings=new.settings,
        visited=visited,
        first_evaluated=lesson.first_evaluated if news is None else None,
        before=before if sizes else None,
        predicted=None,
        found=None if _differ(old.settings, new.settings, limits) else lesson.found,
        recovering=lesson.recovering and sizes,
    )
    return program.logged(state, news) if news is not None else state


def _without_training(state: State) -> State:
    """The state without samples and losses, which say nothing of another training."""
    state = replace(state, sample=None, history=History())
    return _with(state, evaluated=None, least_evaluated=None, noise=None, noise_known=None)


def _sample(state: State, sample: LessonSample) -> State:
    lesson = known(state.lesson)
    settings, visited = lesson.settings, lesson.visited
    point = history.of_images(sample, settings.effective_batch, state.measured)
    # The last step of an epoch may have fewer images, so its time is not that of the batch size.
    if sample.batch_size == settings.effective_batch and sample.step_seconds is not None:
        visited = visits.timed(visited, settings, sample)
    rows = lesson.held_rows if sample.split is None else sample.batch_size
    alike = sample.batch_size == settings.effective_batch
    state = _with(state, visited=visited, held_rows=rows)
    return program.sampled(state, sample, point, alike=alike)


def _measured(state: State, new: LessonMeasured) -> State:
    lesson = known(state.lesson)
    if new.batch_size != lesson.settings.effective_batch:
        return replace(state, device_memory=new.device_memory)
    state = program.measured(state, new)
    before, visited = lesson.before, lesson.visited
    if before is not None and new.settled and not is_trouble(state.news):
        state = replace(state, news=_compared_peaks(state.news, before, lesson.settings, new))
    if lesson.configured is not None:
        visited = visits.measured(visited, lesson.configured, new)
    return _with(
        state,
        visited=visited,
        before=None if new.settled else before,
        recovering=False,
        stuck=False,
    )


def _compared_peaks(
    news: News | None, before: Before, now: Settings, new: LessonMeasured
) -> News | None:
    if not _differ(before.settings, now, _ALL):
        return news
    return SettingsChanged(before.settings, now, (before.peak, new.anatomy.peak.bytes))


def _evaluated(state: State, new: Evaluated) -> State:
    # Small data ends many epochs a second, so only the latest of successive ones is kept.
    if state.log and isinstance(state.log[-1], Evaluated):
        state = replace(state, log=state.log[:-1])
    lesson = known(state.lesson)
    first, visited = lesson.first_evaluated or new, lesson.visited
    if new.epoch < first.epoch:
        first = new  # parameters were restored
    if lesson.configured is not None:
        visited = visits.evaluated(visited, lesson.configured, first, new)
    least = lesson.least_evaluated
    if least is None or new.loss < least.loss or new.epoch < least.epoch:
        least = new
    state = _with(
        state, evaluated=new, first_evaluated=first, least_evaluated=least, visited=visited
    )
    return program.logged(state, new)


def _searched(state: State, event: Trying | Tried | Timed | SearchEnded) -> State:
    state = replace(state, news=event)
    if isinstance(event, SearchEnded):
        found = event.found or known(state.lesson).found
        return program.logged(_with(state, searching=False, found=found), event)
    return _with(state, searching=True)


def _compared(state: State, event: Comparing | Compared | ComparisonEnded) -> State:
    lesson = known(state.lesson)
    if isinstance(event, Comparing):
        return _with(replace(state, news=event), comparing=event)
    if isinstance(event, ComparisonEnded):
        result = ComparisonResult(event.complete, visits.best_compared(lesson.visited))
        return program.logged(_with(replace(state, news=result), comparing=None), result)
    shape = lesson.configured.data.shape if lesson.configured else ()
    visited = visits.compared(lesson.visited, event, shape)
    return program.logged(_with(state, visited=visited), event)


def _out_of_memory(state: State, event: LessonOutOfMemory) -> State:
    lesson = known(state.lesson)
    news = StepOutOfMemory(event, lesson.settings)
    state = program.logged(state, news)
    if event.phase == "evaluation":
        # The evaluation goes on in smaller batches: this is for the log alone.
        return state
    state = program.out_of_memory(state, event.batch_size * event.accumulation)
    return _with(
        replace(state, news=news),
        out_of_memory=news,
        visited=visits.ran_out(lesson.visited, event),
        before=None,
        recovering=event.restored is not None,
        stuck=event.restored is None,
    )


def _would_fit(state: State, answer: WouldFit) -> State:
    lesson = known(state.lesson)
    asked = lesson.out_of_memory
    if answer.largest is None or asked is None or asked.settings != answer.settings:
        return state
    complete = replace(asked, would_fit=answer)
    if state.news is asked:
        state = replace(state, news=complete)
    visited = visits.would_fit(lesson.visited, answer)
    return program.logged(_with(state, out_of_memory=complete, visited=visited), answer)
