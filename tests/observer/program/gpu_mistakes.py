"""Mistakes of the observer's at each of its entry points, in a training on a simulated GPU.

Prints for each, while the program records the allocator's history itself and while it does not,
what is wrong: nothing where the training went on as it does unobserved and nothing of ours is left.
"""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import torch
from gpu_training import Training, in_child
from vramtop.observer.program import (
    device_log,
    history,
    hooks,
    lines,
    trace_recorder,
    window,
    windows,
)
from vramtop.observer.program.agent import Agent
from watched import hooks_in, wait_until, watched

RECORDED = 200

Place = tuple[object, str]
Told = dict[str, Any]
# These raise from some moment on.
ALWAYS: tuple[Place, ...] = (
    (windows, "fitting_recorder"),
    (trace_recorder.TraceRecorder, "start"),
    (trace_recorder.TraceRecorder, "read"),
    (trace_recorder.TraceRecorder, "address"),
    (trace_recorder.TraceRecorder, "recorded"),
    (trace_recorder, "allocator_statistics"),
    (trace_recorder, "allocator_snapshot"),
    (history.HistoryCalls, "hear"),
    (hooks.Hooks, "watch_modules"),
    (window.Window, "call"),
    (window.Window, "backward_end"),
    (window.Window, "optimizer_end"),
    (window.Window, "close"),
    (window.Window, "messages"),
    (window, "all_sizes"),
    (device_log.DeviceLog, "sight"),
    (device_log, "_hardware"),
    (lines.Lines, "of_frames"),
)
# What takes everything out raises once: it is called again.
ONCE: tuple[Place, ...] = (
    (history.HistoryCalls, "ignore"),
    (trace_recorder.TraceRecorder, "stop"),
    (hooks.Hooks, "leave_modules"),
)
# Where the program records the history itself, the observer only reads it.
READING: tuple[Place, ...] = (
    (trace_recorder.TraceRecorder, "read"),
    (trace_recorder, "allocator_snapshot"),
    (history.HistoryCalls, "hear"),
    *ONCE,
)
OF_OUR_HISTORY: tuple[Place, ...] = (
    (trace_recorder, "start_history"),
    (trace_recorder, "stop_history"),
)


def _broken(owner: object, name: str, *, once: bool) -> AbstractContextManager[object]:
    works, made = getattr(owner, name), []

    def mistake(*args: object, **kwargs: object) -> object:
        if once and made:
            return works(*args, **kwargs)
        made.append(True)
        raise ZeroDivisionError("a mistake")

    return patch.object(owner, name, mistake)


def _recorded() -> int:
    """The entries of the allocator's history."""
    if not torch._C._cuda_isHistoryEnabled():
        return 0
    return len(torch.cuda.memory._snapshot()["device_traces"][0])


def _observed(places: list[Place], *, recording: bool) -> list[Told]:
    """What the training has made after each mistake, and what was said and left then."""
    training, told = _begun(recording), []
    before = hooks_in()
    for owner, name in places:
        with watched() as seen:

            def step(agent: Agent = seen.agent) -> None:
                agent.begin()
                training.step()

            seen.until("watched_step", step)
            with _broken(owner, name, once=(owner, name) not in ALWAYS):
                seen.until("removed", step)
                wait_until(lambda: hooks_in() == before)
        said = [message["reason"] for message in seen.of("removed")]
        told.append(_told(training) | {"said": said})
    return told


def _unobserved(counts: list[int], *, recording: bool) -> list[Told]:
    """What the training has made after so many steps in all."""
    training, told = _begun(recording), []
    for count in counts:
        while training.done < count:
            training.step()
        told.append(_told(training))
    return told


def _begun(recording: bool) -> Training:
    training = Training()
    if recording:
        torch.cuda.memory._record_memory_history(max_entries=RECORDED, stacks="python")
    return training


def _told(training: Training) -> Told:
    return {"steps": training.done, "made": training.made(), "recorded": _recorded()}


def _wrong(plain: Told, seen: Told) -> list[str]:
    wrong = []
    if seen["made"] != plain["made"]:
        wrong.append("the training is another one")
    if seen["said"] != ["ZeroDivisionError: a mistake"]:
        wrong.append(f"said {seen['said']}")
    if seen["recorded"] != plain["recorded"]:
        wrong.append(f"{seen['recorded']} entries of history, and not {plain['recorded']}")
    return wrong


def main() -> None:
    told = {}
    for recording in (False, True):
        places = list(READING if recording else (*ALWAYS, *ONCE, *OF_OUR_HISTORY))
        seen = in_child(lambda: _observed(places, recording=recording))  # noqa: B023
        counts = [each["steps"] for each in seen]
        plain = in_child(lambda: _unobserved(counts, recording=recording))  # noqa: B023
        for (owner, name), unobserved, observed in zip(places, plain, seen, strict=True):
            where = getattr(owner, "__name__", "").rpartition(".")[2]
            what = f"{where}.{name}{' beside a history' * recording}"
            told[what] = _wrong(unobserved, observed)
    print(json.dumps(told))


if __name__ == "__main__":
    main()
