"""The seven steps of the guided tour: what each changes, waits for, and says. Pure.

A step's script is a generator. It yields a `Wait`, and is sent the state that has ended that wait.
It returns the step's last text, with the numbers that were measured.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import msgspec
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import Measured
from vramtop.protocol.split import Category
from vramtop.tui.state.lesson.facts import known
from vramtop.tui.state.state import HeldStep, State
from vramtop.tui.words import units
from vramtop.tui.words.out_of_memory import REMEDY
from vramtop.tui.words.wording import NAMES, PHASE_NAMES


class Wait(msgspec.Struct, frozen=True):
    """What to ask of the training, and `until` when to wait.

    `change` asks for settings, `advance` for one phase. With `enter` they are asked for only when
    the viewer presses enter; it names what that key brings. `text` is shown meanwhile.
    """

    until: Callable[[State], bool]
    change: dict[str, Any] = {}
    advance: bool = False
    enter: str = ""
    text: str = ""


Script = Generator[Wait, State, str]


class Step(msgspec.Struct, frozen=True):
    """A step of the tour; `words` are two sentences on what to watch."""

    title: str
    words: str
    script: Callable[[State], Script]


def settled(settings: Settings, **changes: Any) -> Callable[[State], bool]:  # noqa: ANN401
    """Whether these settings are in force, and measured with the optimizer's state in place."""
    wanted = msgspec.structs.replace(settings, **changes)

    def reached(state: State) -> bool:
        now = _settings(state)
        same = all(getattr(now, field) == getattr(wanted, field) for field in changes)
        return same and state.measured is not None and state.measured.settled

    return reached


def _set(state: State, text: str = "", **changes: Any) -> Wait:  # noqa: ANN401 - of each field's type
    return Wait(settled(_settings(state), **changes), change=changes, text=text)


def _usual(state: State, **changes: Any) -> Wait:  # noqa: ANN401 - of each field's type
    """The tour's own settings with these changes; dataset and device stay."""
    usual = {"batch_size": 64, "optimizer": "adam", "learning_rate": None, "hidden": 128}
    return _set(state, **{**usual, "accumulation": 1, "budget": None, **changes})


# ---- the seven scripts --------------------------------------------------------------------------


def _bars(state: State) -> Script:
    state = yield _usual(state)
    peak = _measured(state).anatomy.peak
    held = ", ".join(
        f"{_name(category)} {units.size(getattr(peak.split, category))}"
        for category in ("parameters", "optimizer_state", "batch_data")
    )
    return f"batch {_settings(state).batch_size:,}: peak {units.size(peak.bytes)}, of it {held}"


def _batch(state: State) -> Script:
    state = yield _usual(state)
    before = _measured(state)
    state = yield _set(state, batch_size=256)
    return _compared(before, _measured(state), "batch_data", "activations", "parameters")


def _phases(state: State) -> Script:
    state = yield _usual(state, batch_size=256)
    state = yield Wait(lambda now: now.held is not None, advance=True)
    while (held := state.held) is not None and held.phase != "zero_grad":
        state = yield Wait(_elsewhere(held), advance=True, enter="next phase", text=_at(held))
    return _at(held) if held else ""


def _optimizer(state: State) -> Script:
    state = yield _usual(state, batch_size=256)
    before = _measured(state).anatomy
    was, peak = before.high_water, units.size(before.peak.bytes)
    twice = f"{was.optimizer_state / was.parameters:.1f} × the parameters"
    # The viewer is to see the bar with Adam first.
    state = yield Wait(
        settled(_settings(state), optimizer="sgd"),
        change={"optimizer": "sgd"},
        enter="change to SGD",
        text=f"Adam: peak {peak}, optimizer state {units.size(was.optimizer_state)}, {twice}",
    )
    after = _measured(state)
    state_bytes = units.size(after.anatomy.high_water.optimizer_state)
    return (
        f"Adam → SGD: peak {peak} → {units.size(after.anatomy.peak.bytes)}, "
        f"optimizer state {units.size(was.optimizer_state)} → {state_bytes}"
    )


def _width(state: State) -> Script:
    state = yield _usual(state, batch_size=256, optimizer="sgd")
    before = _measured(state)
    state = yield _set(state, hidden=512)
    return _compared(before, _measured(state), "parameters", "activations", "batch_data")


def _budget(state: State) -> Script:
    state = yield from _capped(state)
    images, before = _images(state), state
    ran_out = _ran_out(before, images)
    state = yield Wait(ran_out, change={"batch_size": images})
    needed = next(
        (visit.peak for visit in known(state.lesson).visited if visit.batch_size == images), None
    )
    limit = _settings(before).budget
    text = f"batch {images:,} out of memory"
    if needed and limit:
        text += f": {units.at_least(needed, limit)}"
    return f"{text}; {_goes_on(state)}"


def _practice(state: State) -> Script:
    state = yield from _capped(state)
    images, size, fitting = _images(state), 16, list[int]()
    while True:
        until = _either(settled(_settings(state), batch_size=size), _ran_out(state, size))
        state = yield Wait(until, change={"batch_size": size}, text=_fitting(fitting))
        if _settings(state).batch_size != size or known(state.lesson).stuck:
            end = f"{size:,} out of memory"
            break
        fitting.append(size)
        if size == images:
            end = "which is all of the data"
            break
        size = min(2 * size, images)
    if not fitting:
        return end
    largest = fitting[-1]
    best = max(1, largest * 8 // 10)
    text = f"{_fitting(fitting)}, {end}; 0.8 × {largest:,} = {best:,}"
    state = yield _set(state, text, batch_size=best)
    return f"{text}, {_peak(state)}"


STEPS = (
    Step(
        "What the bars show",
        "The upper bar is the device, the lower one a training step at its peak, a colour a "
        "category. Each row tells its bytes, and the formula's beside them.",
        _bars,
    ),
    Step(
        "A batch four times as large",
        "Batch data and activations grow with the batch, all else belongs to the model. Watch "
        "which colours grow, and which only make room.",
        _batch,
    ),
    Step(
        "One phase at a time",
        "The training is held inside a step; enter lets it go on by one phase. Watch "
        "activations come in forward, and leave in backward, where gradients come.",
        _phases,
    ),
    Step(
        "From Adam to SGD",
        "Adam keeps two numbers for every parameter, SGD keeps none. Watch the optimizer's colour "
        "leave the bar, and the peak sink.",
        _optimizer,
    ),
    Step(
        "A network four times as wide",
        "Four times the width is four times the parameters, and as many gradients. The images "
        "stay as they are: watch batch data keep its bytes.",
        _width,
    ),
    Step(
        "Out of memory",
        "All of the data in one batch meets a budget too small for it. Watch it be told, and the "
        "training go on at the last size that worked.",
        _budget,
    ),
    Step(
        "How to choose a batch size",
        "Start at 16 and double it, until memory runs out or the loss gets worse. Then take 0.8 "
        "of the largest, for room to breathe.",
        _practice,
    ),
)


# ---- what they wait for -------------------------------------------------------------------------


def _capped(state: State) -> Generator[Wait, State, State]:
    """Set a small step, and a budget that a few such steps would fill."""
    if _settings(state).budget is None or _settings(state).hidden != 128:
        state = yield _usual(state, batch_size=256, optimizer="sgd")
        state = yield _set(state, budget=_room(state))
    return state


def _room(state: State) -> int:
    """A budget in bytes for four such steps, but too small for all of the data in one batch.

    What the allocator has already reserved comes on top of it.
    """
    measured, configured = _measured(state), known(state.lesson).configured
    here = 4 * measured.anatomy.peak.bytes
    if configured is not None:
        an_image = configured.formula.batch_data // configured.settings.batch_size
        here = min(here, 3 * an_image * _images(state) // 4)
    return here + (measured.allocator.reserved if measured.allocator else 0)


def _ran_out(before: State, size: int) -> Callable[[State], bool]:
    """Whether a batch of `size` has run out of memory since `before`, and another one goes on."""
    old = known(before.lesson).out_of_memory

    def reached(state: State) -> bool:
        lesson = known(state.lesson)
        new = lesson.out_of_memory
        if new is None or (old and new.event is old.event):
            return False
        failed = any(visit.batch_size == size and visit.out_of_memory for visit in lesson.visited)
        back = state.measured is not None and state.measured.settled
        return failed and (lesson.stuck or (back and lesson.settings.batch_size != size))

    return reached


def _either(*reached: Callable[[State], bool]) -> Callable[[State], bool]:
    return lambda state: any(each(state) for each in reached)


def _elsewhere(held: HeldStep) -> Callable[[State], bool]:
    """Whether the step is held at another boundary than this one."""
    return lambda state: state.held is not None and state.held.phase != held.phase


# ---- what they say -----------------------------------------------------------------------------


def _measured(state: State) -> Measured:
    assert state.measured is not None  # each script waits for it
    return state.measured


def _settings(state: State) -> Settings:
    return known(state.lesson).settings


def _images(state: State) -> int:
    lesson = known(state.lesson)
    configured = lesson.configured
    return configured.data.train_images if configured else lesson.settings.batch_size


def _name(category: Category) -> str:
    return NAMES[category].lower()


def _compared(before: Measured, after: Measured, *categories: Category) -> str:
    """How the categories' high-water marks changed from one measurement to the other."""
    parts = []
    for category in categories:
        was: int = getattr(before.anatomy.high_water, category)
        now: int = getattr(after.anatomy.high_water, category)
        size = units.size(now)
        went = f"stayed {size}" if was == now else f"{units.size(was)} → {size}"
        parts.append(f"{_name(category)} {went}")
    return "; ".join(parts)


def _at(held: HeldStep) -> str:
    split = held.split
    return (
        f"after {PHASE_NAMES[held.phase]}: {units.size(split.total)} held, "
        f"activations {units.size(split.activations)}, gradients {units.size(split.gradients)}"
    )


def _fitting(sizes: list[int]) -> str:
    return f"{' '.join(f'{size:,}' for size in sizes)} fit" if sizes else ""


def _peak(state: State) -> str:
    text = f"peak {units.size(_measured(state).anatomy.peak.bytes)}"
    budget = _settings(state).budget
    return text if budget is None else f"{text} of {units.size(budget)}"


def _goes_on(state: State) -> str:
    if known(state.lesson).stuck:
        return REMEDY
    return f"batch {_settings(state).batch_size:,} goes on, {_peak(state)}"
