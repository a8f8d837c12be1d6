"""A screen that leaves at any moment, and programs that fail or are interrupted while watched."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from training_with_places import PLACES, Training, plain
from vramtop.observer.program import windows
from watched import in_thread, wait_until, watched

pytestmark = pytest.mark.usefixtures("nothing_else_there", "nothing_is_left")
OBSERVER = str(Path(windows.__file__).parent.parent)


@pytest.mark.parametrize("place", PLACES)
def test_a_screen_leaves_while_a_window_is_open(place: str) -> None:
    training = Training()
    with watched() as observed:
        training.step()

        def leave() -> None:
            if observed.agent._windows.window is not None:
                training.at.clear()
                in_thread(observed.agent.leave)

        training.at[place] = leave
        wait_until(lambda: not training.at, training.step)
        training.step()
    assert training.made() == plain(training.steps)


@pytest.mark.parametrize("place", PLACES)
def test_a_screen_leaves_while_the_training_is_stuck(place: str) -> None:
    training, stuck, goes_on = Training(), threading.Event(), threading.Event()

    def wait() -> None:
        if observed.agent._windows.window is not None:
            training.at.clear()
            stuck.set()
            goes_on.wait()

    def train() -> None:
        while not goes_on.is_set():
            training.step()

    with watched() as observed:
        training.at[place] = wait
        thread = threading.Thread(target=train)
        thread.start()
        stuck.wait()
    goes_on.set()
    thread.join()
    assert training.made() == plain(training.steps)


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
@pytest.mark.parametrize("place", PLACES)
def test_a_program_that_fails_or_is_interrupted_and_goes_on_is_watched_on(
    place: str, error: type[BaseException]
) -> None:
    training = Training()

    def fail() -> None:
        training.at.clear()
        raise error

    with watched() as observed:
        observed.until("watched_step", training.step)
        for _ in range(5):
            training.at[place] = fail
            with pytest.raises(error):
                training.step()
            training.optimizer.zero_grad()
            observed.until("watched_step", training.step, len(observed.of("watched_step")) + 2)
    assert not observed.of("removed")
    for message in observed.of("watched_step"):
        assert _is_nested(message)


def _is_nested(message: dict[str, Any]) -> bool:
    """Whether each end ends what began last."""
    opened: list[str] = []
    for _, kind, *_ in message["marks"]:
        if kind.endswith("_end"):
            if opened and opened.pop() != kind.removesuffix("_end"):
                return False
        elif kind != "period":
            opened.append(kind)
    return True


# Python drops one that comes in a weak reference's callback, in anybody's.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_interrupts_at_any_time_pass_through() -> None:
    """As Ctrl-C, and also while the observer is at work in the program's thread."""

    class Interrupt(BaseException):
        pass

    def interrupt(_: int, frame: FrameType | None) -> None:
        # PyTorch's own code would leave gradients switched off.
        if frame is not None and frame.f_code.co_filename.startswith(OBSERVER):
            raise Interrupt

    training = Training()
    before = signal.signal(signal.SIGALRM, interrupt)
    came = steps = 0
    try:
        with watched() as observed:
            # After the first search, which the main thread may be asked for.
            observed.until("watched_step", training.step)
            signal.setitimer(signal.ITIMER_REAL, 0.003, 0.0007)
            # How many come depends on how fast the machine is.
            while steps < 400 or came <= 5:
                steps += 1
                assert steps < 40_000
                try:
                    training.step()
                except Interrupt:
                    came += 1
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    training.step()
