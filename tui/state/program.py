"""The messages of any program, folded into the state."""

from __future__ import annotations

from msgspec.structs import replace
from vramtop.protocol.gpus import GpusReport
from vramtop.protocol.messages import (
    Answer,
    Ended,
    Failed,
    Flow,
    Hello,
    Measured,
    Note,
    OutOfMemory,
    Program,
    Sample,
)
from vramtop.tui.gpus.conclusions import unavailable
from vramtop.tui.worker.link import (
    AwaitsInput,
    DriverSaid,
    Entering,
    Modules,
    Parted,
    Received,
    ShapesSeen,
    Watched,
    WorkerGone,
    WorkerLine,
)

from . import history, moments
from .full_bar import kept
from .history import History, Point
from .news import LogEntry, is_trouble
from .state import HeldStep, Life, State

MAX_ENTRIES = 200


def fold(state: State, message: Received) -> State:
    """The state after this message; messages of the lesson change nothing."""
    match message:
        case Hello():
            return logged(replace(state, device=message.device, pid=message.pid), message)
        case Program():
            return _program(state, message)
        case Sample():
            return sampled(state, message, history.of_step(message, state.measured))
        case Measured():
            # A moment that somebody looks at stays, whatever later steps are like.
            return state if state.cursor is not None else measured(state, message)
        case OutOfMemory():
            return _out_of_memory(state, message)
        case Flow():
            return _flow(state, message)
        case Answer() | Note() | WorkerLine():
            return _said(state, message)
        case Failed():
            return logged(replace(state, life="failed", news=message), message)
        case Ended():
            return replace(state, life="ended", news=message)
        case WorkerGone():
            return _gone(state, message)
        case GpusReport():
            return _gpus(state, message)
        case _:
            return _of_watched(state, message)


def _said(state: State, message: Answer | Note | WorkerLine) -> State:
    if isinstance(message, Answer) and message.error is None:
        return state
    if isinstance(message, WorkerLine) and message.again:
        return _printed_again(state, message)
    return logged(state, message)


def _of_watched(state: State, message: Received) -> State:
    match message:
        case Entering():
            return replace(state, inside=message, news=message)
        case Watched():
            return _watched(state, message)
        case Modules():
            return replace(state, modules=message)
        case ShapesSeen():
            return replace(state, shapes=message)
        case DriverSaid():
            return replace(state, driver=message.sum)
        case AwaitsInput():
            return _awaits_input(state, message)
        case Parted():
            return _parted(state, message)
        case _:
            return state


def _awaits_input(state: State, message: AwaitsInput) -> State:
    """The state with this news, or without it once it is old; trouble is not replaced."""
    if message.waits:
        return state if is_trouble(state.news) else replace(state, news=message)
    return replace(state, news=None) if isinstance(state.news, AwaitsInput) else state


def logged(state: State, *entries: LogEntry) -> State:
    """The state with these entries at the end of its log."""
    return replace(state, log=(*state.log, *entries)[-MAX_ENTRIES:])


def unmeasured(state: State) -> State:
    """The state without a measured step, and without a place in one."""
    return replace(state, measured=None, held=None, cursor=None, walk=None)


def sampled(state: State, sample: Sample, point: Point, *, alike: bool = True) -> State:
    """The state after the end of a step, or a boundary within one; `point` is for the trends.

    `alike` tells that the step has the same shapes of inputs as the one that was measured.
    """
    if (state.paused or state.slow) and sample.split is not None:
        state = _held(state, HeldStep(sample.phase, sample.split, sample.part, alike))
    return replace(
        state,
        sample=sample,
        history=history.extended(state.history, point),
        resident=sample.resident or state.resident,
    )


def measured(state: State, new: Measured) -> State:
    """The state with a new anatomy."""
    curve = new.anatomy.curve
    if state.measured is not None and state.measured.anatomy.curve != curve:
        state = replace(state, cursor=None, walk=None)
    return replace(
        state,
        measured=new,
        device_memory=new.device_memory,
        full_bar=kept(state.full_bar, new.anatomy.peak.bytes),
    )


def out_of_memory(state: State, batch_size: int | None = None) -> State:
    """The state after a step that ran out of memory; its batch size, where that is known."""
    return unmeasured(replace(state, history=history.marked(state.history, batch_size)))


def _watched(state: State, new: Watched) -> State:
    """The state with what is known of a program; of another one, or device, nothing is left."""
    before = state.watched
    if before is not None and (
        before.pid != new.pid or (before.device and before.device != new.device)
    ):
        state = replace(
            unmeasured(state),
            program=None, device=None, device_memory=None, modules=None,
            shapes=None, driver=None, sample=None, history=History(),
        )  # fmt: skip
    news = None if isinstance(state.news, Entering) else state.news
    return replace(state, watched=new, pid=new.pid, life="running", news=news)


def _parted(state: State, parted: Parted) -> State:
    """The state after the program's end, or ours in it; what was measured last stays.

    So does the news of an out of memory of which a program has died.
    """
    life: Life = "gone"
    if parted.over:
        life = "failed" if parted.trouble else "ended"
    dead_of_it = life == "failed" and _ran_out_last(state)
    return logged(replace(state, life=life, news=state.news if dead_of_it else parted), parted)


def _ran_out_last(state: State) -> bool:
    """Whether no step has followed on the latest out of memory."""
    marks, points = state.history.out_of_memory, state.history.points
    followed = bool(marks and points) and marks[-1].at < points[-1].at
    return isinstance(state.news, OutOfMemory) and not followed


def outside(state: State) -> State:
    """The state of the GPUs alone, once nobody looks inside a process; log and news stay."""
    return State(
        life="none",
        gpus=state.gpus,
        gpu_history=state.gpu_history,
        process_view=state.process_view,
        log=state.log,
        news=state.news,
    )


def _printed_again(state: State, line: WorkerLine) -> State:
    """The state with this line in the place of the one that was printed last."""
    log = state.log
    for at in range(len(log) - 1, -1, -1):
        if isinstance(log[at], WorkerLine):
            return replace(state, log=(*log[:at], line, *log[at + 1 :]))
    return logged(state, line)


def _out_of_memory(state: State, message: OutOfMemory) -> State:
    new = logged(replace(state, news=message), message)
    return replace(new, history=history.marked(new.history, None))


def _program(state: State, new: Program) -> State:
    same = state.program is not None and state.program.device == new.device
    return unmeasured(
        replace(
            state,
            program=new,
            device=new.device,
            device_memory=state.device_memory if same else None,
            life="running",
        )
    )


def _held(state: State, held: HeldStep) -> State:
    """The state with the step held there; the cursor walks there unless somebody has put it."""
    state = replace(state, held=held, cursor=state.cursor if state.walk is None else None)
    if state.cursor is not None or state.measured is None or state.place is None:
        return replace(state, walk=None)
    walk = moments.path(state.measured.anatomy, state.place)
    return replace(state, walk=walk, cursor=walk and walk.first)


def _flow(state: State, flow: Flow) -> State:
    held = state.held if flow.paused or flow.slow else None
    # A pause during a walk keeps the cursor where it is; other changes of the flow remove it.
    stays = state.walk is not None and flow.paused and not state.paused
    cursor = state.cursor if stays else None
    return replace(state, paused=flow.paused, slow=flow.slow, held=held, cursor=cursor, walk=None)


def _gone(state: State, gone: WorkerGone) -> State:
    # Most lines arrived when they were printed; only the others are added here.
    missing = [line for line in map(WorkerLine, gone.lines) if line not in state.log]
    state = logged(replace(state, resident=0), *missing, gone)
    if state.life == "failed":
        # The reason that the worker gave is better news than its end.
        return state
    return replace(state, life="gone", news=gone)


def _gpus(state: State, new: GpusReport) -> State:
    # Each report repeats what is not available; the log says it once.
    known = unavailable(state.gpus) if state.gpus else []
    news = [each for each in unavailable(new) if each not in known]
    return logged(replace(state, gpus=new), *news)
