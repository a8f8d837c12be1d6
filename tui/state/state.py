"""All that the screen knows, and how each message changes it. Pure: no clock, no widgets."""

from __future__ import annotations

from math import prod
from typing import Literal

import msgspec
from msgspec.structs import replace
from vramtop.protocol.gpus import Card, CardsReport
from vramtop.protocol.lesson.messages import (
    Compared,
    Comparing,
    ComparisonEnded,
    Configured,
    Evaluated,
    Found,
    LessonEnded,
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
from vramtop.protocol.messages import Answer, Device, DeviceMemory, Failed, Flow, Hello, Note
from vramtop.protocol.split import Category, Phase, Split
from vramtop.tui.gpus.cards import reasons
from vramtop.tui.gpus.whereabouts import Whereabouts, find
from vramtop.tui.words import units, wording
from vramtop.tui.worker import endings
from vramtop.tui.worker.link import Received, WorkerGone, WorkerLine

from . import fair, history, moments, shortages, visits
from .comparison import Line, compare
from .full_bar import kept
from .history import History
from .moments import Spot
from .shortages import Failure
from .walk import Walk

MAX_LINES = 200
# Of the worker; "none" where nothing is trained.
Life = Literal["none", "starting", "running", "ended", "failed", "gone"]
# Changes of these begin another training, and those of the optimizer too make other bytes: runs
# that cannot stand in one table.
_BEGINS = ("dataset", "hidden")
_MODEL = (*_BEGINS, "optimizer", "device")


class Held(msgspec.Struct, frozen=True):
    """The boundary at which a step on `rows` images is held, and the split there.

    `part` is the number, from 1, of the batch that it belongs to, where a step adds up several.
    """

    phase: Phase
    split: Split
    rows: int
    part: int = 1


class News(msgspec.Struct, frozen=True):
    """What changed last; `trouble` is what one should see first.

    `shorter` says the same in fewer and fewer words.
    """

    text: str
    trouble: bool = False
    shorter: tuple[str, ...] = ()


class Before(msgspec.Struct, frozen=True):
    """The settings that were measured last, and their peak in bytes."""

    settings: Settings
    peak: int


class State(msgspec.Struct, frozen=True):
    """Everything on the screen comes from here.

    `pid` and `resident` (bytes) are the worker's, `cards` what NVML said last, and `device_memory`
    what CUDA did. `measured` is the
    latest of the settings in force, None until there is one. `before` is what a change is compared
    with, until it is measured; `recovering` tells that settings come back after an out of memory,
    `stuck` that there are none to come back to; `failure` is the latest out of memory of a step.
    `first_evaluated` is the first of the settings in force, from which on the losses of batch sizes
    are compared. `cursor` is a place in the measured
    curve: that of the `walk` to the boundary, or where there is none, one that somebody chose.
    `chosen` is the category that one looks into.
    `full_bar` is the power of two, in bytes, that fills the split bar.
    `predicted` is what twice the batch would hold; `found` the outcome of the latest search for
    these settings. `comparing` is how far a fair comparison is, None while there is none.
    `noise_known` is the latest noise that told a scale.
    `least_evaluated` has the least test loss of this training.
    """

    settings: Settings
    life: Life = "starting"
    device: Device | None = None
    pid: int | None = None
    cards: CardsReport | None = None
    device_memory: DeviceMemory | None = None
    configured: Configured | None = None
    sample: LessonSample | None = None
    measured: LessonMeasured | None = None
    comparison: tuple[Line, ...] = ()
    full_bar: int = 0
    held: Held | None = None
    cursor: int | None = None
    walk: Walk | None = None
    evaluated: Evaluated | None = None
    first_evaluated: Evaluated | None = None
    least_evaluated: Evaluated | None = None
    noise: Noise | None = None
    noise_known: Noise | None = None
    history: History = History()
    picture: Picture | None = None
    log: tuple[str, ...] = ()
    visited: visits.Visits = ()
    paused: bool = False
    slow: bool = False
    news: News | None = None
    before: Before | None = None
    recovering: bool = False
    stuck: bool = False
    failure: Failure | None = None
    predicted: Predicted | None = None
    searching: bool = False
    comparing: Comparing | None = None
    found: Found | None = None
    resident: int | None = None
    chosen: Category | None = None

    @property
    def card(self) -> Card | None:
        """The GPU that the training runs on, as NVML sees it; None where it does not."""
        return self.where.card if self.where else None

    @property
    def where(self) -> Whereabouts | None:
        """That GPU, and the instance of it where it is split."""
        return find(self.cards.cards if self.cards else (), self.device, self.pid)

    @property
    def place(self) -> int | None:
        """Where one stands in the measured curve: at the cursor, or else where the step is held."""
        if self.cursor is not None or self.held is None:
            return self.cursor
        held = self.held
        return moments.boundary(self.measured, held.phase, held.split, held.rows, held.part)

    @property
    def seen(self) -> Spot | Held | None:
        """The moment that is shown: the cursor's, or the boundary; None if it is the peak."""
        if self.cursor is None or self.measured is None:
            return self.held
        return moments.spot(self.measured.anatomy, self.cursor)

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.life in ("failed", "gone")


def fold(state: State, message: Received) -> State:
    """The state after this message."""
    new = _folded(state, message)
    if new.measured is state.measured and new.configured is state.configured:
        return new
    lines = compare(new.configured, new.measured) if new.configured else ()
    return replace(new, comparison=lines)


def _folded(state: State, message: Received) -> State:
    match message:
        case Hello():
            told = f"torch {message.torch} on {message.device.description}"
            missing = filter(None, [wording.missing(message.device)])
            return _logged(replace(state, device=message.device, pid=message.pid), told, *missing)
        case Configured():
            return _configured(state, message)
        case LessonSample():
            return _sample(state, message)
        case LessonMeasured():
            return _measured(state, message)
        case LessonOutOfMemory() | WouldFit():
            return _short_of_memory(state, message)
        case Picture() | Noise() | Evaluated():
            return _aside(state, message)
        case Predicted() | Trying() | Tried() | Timed() | SearchEnded():
            return _foretold(state, message)
        case Flow() | Comparing() | Compared() | ComparisonEnded():
            return _flow(state, message) if isinstance(message, Flow) else _compared(state, message)
        case Answer() | Note() | WorkerLine():
            line = message.error if isinstance(message, Answer) else message.text
            return state if line is None else _logged(state, line)
        case Failed() | LessonEnded() | WorkerGone():
            return _ended(state, message)
        case CardsReport():
            return _cards(state, message)
        case _:
            return state


def _logged(state: State, *lines: str) -> State:
    return replace(state, log=(*state.log, *lines)[-MAX_LINES:])


def _aside(state: State, message: Picture | Noise | Evaluated) -> State:
    if isinstance(message, Evaluated):
        return _evaluated(state, message)
    if isinstance(message, Picture):
        return replace(state, picture=message)
    known = state.noise_known if message.scale is None else message
    return replace(state, noise=message, noise_known=known)


def _flow(state: State, flow: Flow) -> State:
    held = state.held if flow.paused or flow.slow else None
    # Who pauses on a walk wants to see where it is; all else lets the step go on, and the cursor.
    stays = state.walk is not None and flow.paused and not state.paused
    cursor = state.cursor if stays else None
    return replace(state, paused=flow.paused, slow=flow.slow, held=held, cursor=cursor, walk=None)


def _evaluated(state: State, new: Evaluated) -> State:
    # Small data ends many epochs a second; among other news the latest of them is enough.
    old, log = state.evaluated, state.log
    if old is not None and log and log[-1] == wording.evaluated(old):
        log = log[:-1]
    first, visited = state.first_evaluated or new, state.visited
    if new.epoch < first.epoch:
        first = new  # parameters went back
    if state.configured is not None:
        visited = visits.evaluated(visited, state.configured, first, new)
    least = state.least_evaluated
    if least is None or new.loss < least.loss or new.epoch < least.epoch:
        least = new
    state = replace(
        state,
        evaluated=new,
        first_evaluated=first,
        least_evaluated=least,
        visited=visited,
        log=log,
    )
    return _logged(state, wording.evaluated(new))


def _foretold(state: State, event: Predicted | Trying | Tried | Timed | SearchEnded) -> State:
    if isinstance(event, Predicted):
        return replace(state, predicted=event)
    told = wording.searched(event)
    if isinstance(event, SearchEnded):
        state = replace(state, searching=False, found=event.found or state.found)
        return _logged(replace(state, news=News(told)), told)
    return replace(state, searching=True, news=News(f"{told}, escape calls the search off"))


def _compared(state: State, event: Comparing | Compared | ComparisonEnded) -> State:
    told = fair.told(event, state.visited)
    if isinstance(event, Comparing):
        return replace(state, comparing=event, news=News(f"{told}, escape calls it off"))
    if isinstance(event, ComparisonEnded):
        return _logged(replace(state, comparing=None, news=News(told)), told)
    pixels = prod(state.configured.data.shape) if state.configured else 0
    visited = visits.compared(state.visited, event, fair.formula(event, pixels))
    return _logged(replace(state, visited=visited), told)


def _ended(state: State, message: Failed | LessonEnded | WorkerGone) -> State:
    if isinstance(message, Failed):
        news = News(f"the worker stopped: {message.error}", trouble=True)
        return _logged(replace(state, life="failed", news=news), message.error)
    if isinstance(message, LessonEnded):
        news = News(f"done after {message.steps:,} steps, {message.images:,} images")
        return replace(state, life="ended", news=news)
    return _gone(state, message)


def _gone(state: State, gone: WorkerGone) -> State:
    # Lines arrive as they are printed; only what did not come that way is added here.
    missing = [line for line in gone.lines if line not in state.log]
    told = endings.gone(gone)
    state = _logged(replace(state, resident=0), *missing, told)
    if state.life == "failed":
        # The reason it gave is better news than the end that followed from it.
        return state
    last = next((line for line in reversed(gone.lines) if line.strip()), None)
    forms = (told, *endings.gone_in_short(gone))
    text, *shorter = [f"{form}: {last}" for form in forms if last] + list(forms)
    return replace(state, life="gone", news=News(text, trouble=True, shorter=tuple(shorter)))


def _cards(state: State, new: CardsReport) -> State:
    # A reason stays as long as what it is for; once is enough to say it.
    told = set(reasons(state.cards)) if state.cards else set[str]()
    news = [reason for reason in reasons(new) if reason not in told]
    return _logged(replace(state, cards=new), *news)


def _batch(settings: Settings) -> tuple[int, int]:
    return settings.batch_size, settings.accumulation


def _configured(state: State, new: Configured) -> State:
    old = state.configured
    if old is None:
        return replace(
            state, configured=new, device=new.device, settings=new.settings, life="running"
        )
    told = wording.change(old.settings, new.settings)
    begins, model = (
        any(getattr(old.settings, name) != getattr(new.settings, name) for name in names)
        for names in (_BEGINS, _MODEL)
    )
    moved = old.device != new.device
    sizes = model or moved or _batch(old.settings) != _batch(new.settings)
    begins = begins or new.fresh
    visited = () if model else visits.at_rate(state.visited, new.settings.rate)
    if old.settings.budget != new.settings.budget:
        visited = visits.another_budget(visited)
    news = _change(old.settings, new.settings)
    if new.fresh and not told:
        told = fair.RESTARTED
        news = News(told)
    unlimited = ("batch_size", "learning_rate", "seed")
    limits = (name for name in new.settings.__struct_fields__ if name not in unlimited)
    same = all(getattr(old.settings, name) == getattr(new.settings, name) for name in limits)
    before = state.before
    if state.measured is not None and state.measured.settled:
        before = Before(old.settings, state.measured.anatomy.peak.bytes)
    if begins:
        # What was learned, and how fast, says nothing of another model or of other images.
        state = replace(
            state,
            sample=None,
            history=History(),
            evaluated=None,
            least_evaluated=None,
            noise=None,
            noise_known=None,
        )
    if old.settings.dataset != new.settings.dataset:
        state = replace(state, picture=None)
    state = replace(
        state,
        configured=new,
        device=new.device,
        device_memory=None if moved else state.device_memory,
        settings=new.settings,
        life="running",
        measured=None if sizes else state.measured,
        held=None,
        cursor=None,
        walk=None,
        visited=visited,
        first_evaluated=None if told else state.first_evaluated,
        news=state.news if state.recovering or not told else news,
        before=before if sizes else None,
        predicted=None,
        found=state.found if same else None,
        recovering=state.recovering and sizes,
    )
    return _logged(state, told) if told else state


def _change(old: Settings, new: Settings) -> News:
    return News(wording.change(old, new), shorter=(wording.changed_to(old, new),))


def _sample(state: State, sample: LessonSample) -> State:
    if (state.paused or state.slow) and sample.split is not None:
        state = _held(state, Held(sample.phase, sample.split, sample.batch_size, sample.part))
    new = history.sampled(sample, state.settings.effective_batch, state.measured)
    visited = state.visited
    # The last step of an epoch may be short, and its timing says nothing of the batch size.
    if sample.batch_size == state.settings.effective_batch and sample.step_seconds is not None:
        visited = visits.timed(visited, state.settings, sample)
    return replace(
        state,
        sample=sample,
        history=history.extended(state.history, new),
        visited=visited,
        resident=sample.resident or state.resident,
    )


def _held(state: State, held: Held) -> State:
    """The step is held there, and the cursor sets out for it, unless somebody put it elsewhere."""
    state = replace(state, held=held, cursor=state.cursor if state.walk is None else None)
    if state.cursor is not None or state.measured is None or state.place is None:
        return replace(state, walk=None)
    walk = moments.path(state.measured.anatomy, state.place)
    return replace(state, walk=walk, cursor=walk and walk.first)


def _measured(state: State, measured: LessonMeasured) -> State:
    state = replace(state, device_memory=measured.device_memory)
    if measured.batch_size != state.settings.effective_batch:
        return state
    anatomy, news = measured.anatomy, state.news
    if state.measured is not None and state.measured.anatomy.curve != anatomy.curve:
        state = replace(state, cursor=None, walk=None)
    before = state.before
    if before is not None and measured.settled and not (news and news.trouble):
        told = wording.change(before.settings, state.settings)
        was, now = units.size(before.peak), units.size(anatomy.peak.bytes)
        peak, fewer = f"peak {was} → {now}", wording.changed_to(before.settings, state.settings)
        news = (
            News(f"{told}: {peak}", shorter=(f"{fewer}: {peak}", peak, f"peak {now}"))
            if told
            else news
        )
    visited = state.visited
    if state.configured is not None:
        visited = visits.measured(visited, state.configured, measured)
    return replace(
        state,
        measured=measured,
        full_bar=kept(state.full_bar, anatomy.peak.bytes),
        visited=visited,
        news=news,
        before=None if measured.settled else before,
        recovering=False,
        stuck=False,
    )


def _short_of_memory(state: State, event: LessonOutOfMemory | WouldFit) -> State:
    if isinstance(event, WouldFit):
        return _would_fit(state, event)
    failure = Failure(event, state.settings)
    news = _told(failure)
    # Where there is nothing in bytes, PyTorch's own account says more.
    lines = [] if event.needed else [event.detail]
    state = _logged(state, *lines, news.text, *filter(None, [shortages.held(event)]))
    if event.phase == "evaluation":
        # It goes on in smaller batches: no trouble, and no news beside what was changed.
        return state
    return replace(
        state,
        news=news,
        failure=failure,
        visited=visits.ran_out(state.visited, event),
        history=history.marked(state.history, event.batch_size * event.accumulation),
        measured=None,
        held=None,
        cursor=None,
        walk=None,
        before=None,
        recovering=event.restored is not None,
        stuck=event.restored is None,
    )


def _told(failure: Failure) -> News:
    text, *shorter = shortages.told(failure)
    return News(text, trouble=True, shorter=tuple(shorter))


def _would_fit(state: State, answer: WouldFit) -> State:
    failure = state.failure
    if answer.largest is None or failure is None or failure.settings != answer.settings:
        return state
    known = replace(failure, would_fit=answer)
    told = f"of batch {wording.batch(answer.settings)}: {shortages.foretold(answer)}"
    return _logged(
        replace(
            state,
            failure=known,
            news=_told(known) if state.news == _told(failure) else state.news,
            visited=visits.would_fit(state.visited, answer),
        ),
        f"{told} in {units.size(answer.limit)}",
    )
