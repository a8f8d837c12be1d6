"""Whether a thread still runs is known without its frames, which would keep its tensors alive."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest
import torch
from vramtop.observer.program import agent
from vramtop.observer.program.thread_life import ThreadLife
from watched import classifier, wait_until, watched

pytestmark = pytest.mark.usefixtures("nothing_else_there")
_looks: list[int] = []  # at the frames of all threads: in which thread
_listening = threading.Event()


@pytest.fixture
def looks_at_frames() -> Iterator[list[int]]:
    sys.addaudithook(_note)  # Python has no way to take it out again
    _listening.set()
    yield _looks
    _listening.clear()


def _note(event: str, _: object) -> None:
    if event == "sys._current_frames" and _listening.is_set():
        _looks.append(threading.get_ident())


def test_a_thread_lives_until_it_has_ended() -> None:
    made: list[ThreadLife] = []
    goes_on = threading.Event()

    def run() -> None:
        made.append(ThreadLife())
        goes_on.wait()

    thread = threading.Thread(target=run)
    thread.start()
    wait_until(lambda: bool(made))
    assert not made[0].is_over
    goes_on.set()
    thread.join()
    assert made[0].is_over
    assert not ThreadLife().is_over


def test_nobody_looks_at_frames_while_a_window_is_open(
    looks_at_frames: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent, "_PROGRESS_SECONDS", 0.001)
    model = classifier()
    with watched(due=False) as observed:
        wait_until(lambda: observed.agent._windows.due)
        windows = observed.agent._windows
        # Where something was compiled before, the first call is followed by a search.
        wait_until(lambda: windows.window is not None, lambda: model(torch.ones(2, 12)))
        looks_at_frames.clear()
        told = len(observed.of("progress"))
        wait_until(lambda: len(observed.of("progress")) > told + 20)
        assert looks_at_frames == []
        observed.agent.leave()
    assert looks_at_frames  # before hooks are taken out
