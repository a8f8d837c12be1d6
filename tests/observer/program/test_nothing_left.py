"""Whenever the last screen leaves, and whatever goes wrong, nothing of the observer remains."""

from __future__ import annotations

import gc
import os
import signal
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook
from torch.optim.optimizer import register_optimizer_step_post_hook
from vramtop.observer.program import (
    device_log,
    hooks,
    lines,
    operator_recorder,
    owners,
    pacing,
    periods,
    steps,
    window,
    windows,
)
from watched import classifier, held, hooks_in, seed, wait_until, watched


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    before = hooks_in()
    yield
    wait_until(lambda: hooks_in() == before)


class Training:
    """A training that calls back in the middle of everything."""

    def __init__(self) -> None:
        seed()
        self.model = classifier()
        self.optimizer = torch.optim.SGD(self.model.parameters(), 0.1, momentum=0.9)
        self.at: dict[str, Callable[[], object]] = {}
        self.model[1].register_forward_hook(lambda *_: self._come("forward"))
        self.model[2].weight.register_hook(lambda _: self._come("backward"))
        self.optimizer.register_step_pre_hook(lambda *_: self._come("optimizer"))

    def _come(self, place: str) -> None:
        if place in self.at:
            self.at[place]()

    def step(self) -> None:
        inputs = torch.randn(8, 12)
        self.model(inputs).square().mean().backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def made(self) -> list[list[float]]:
        return held(self.model, self.optimizer)


def _plain(number: int) -> list[list[float]]:
    training = Training()
    for _ in range(number):
        training.step()
    return training.made()


def _in_thread(call: Callable[[], object]) -> None:
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()


OBSERVER = str(Path(windows.__file__).parent.parent)
PLACES = ("forward", "backward", "optimizer")


@pytest.mark.parametrize("place", PLACES)
def test_a_screen_leaves_while_a_window_is_open(place: str) -> None:
    training = Training()
    with watched() as observed:
        training.step()

        def leave() -> None:
            if observed.agent._windows.window is not None:
                training.at.clear()
                _in_thread(observed.agent.leave)

        training.at[place] = leave
        wait_until(lambda: not training.at, training.step)
        training.step()


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


@pytest.mark.parametrize("place", PLACES)
def test_a_program_that_fails_and_goes_on_is_watched_on(place: str) -> None:
    training = Training()

    def fail() -> None:
        training.at.clear()
        raise ZeroDivisionError

    with watched() as observed:
        observed.until("watched_step", training.step)
        for _ in range(5):
            training.at[place] = fail
            with pytest.raises(ZeroDivisionError):
                training.step()
            training.optimizer.zero_grad()
            observed.until("watched_step", training.step, len(observed.of("watched_step")) + 2)
    assert not observed.of("removed")
    for message in observed.of("watched_step"):
        _nested(message)


def _nested(message: dict[str, Any]) -> None:
    """Marks nest: each end ends what began last."""
    opened: list[str] = []
    for _, kind, *_ in message["marks"]:
        if kind.endswith("_end"):
            if opened:
                assert opened.pop() == kind.removesuffix("_end")
        elif kind != "period":
            opened.append(kind)


@pytest.mark.parametrize("place", PLACES)
def test_an_interrupt_in_the_program_leaves_the_window_consistent(place: str) -> None:
    training = Training()

    def interrupt() -> None:
        training.at.clear()
        raise KeyboardInterrupt

    with watched() as observed:
        observed.until("watched_step", training.step)
        for _ in range(5):
            training.at[place] = interrupt
            with pytest.raises(KeyboardInterrupt):
                training.step()
            training.optimizer.zero_grad()
            observed.until("watched_step", training.step, len(observed.of("watched_step")) + 2)
    for message in observed.of("watched_step"):
        _nested(message)


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
    came = 0
    try:
        with watched() as observed:
            # After the first search, which the main thread may be asked for.
            observed.until("watched_step", training.step)
            signal.setitimer(signal.ITIMER_REAL, 0.003, 0.0007)
            for _ in range(400):
                try:
                    training.step()
                except Interrupt:
                    came += 1
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    training.step()
    assert came > 5


FAULTS: tuple[tuple[object, str], ...] = (
    (hooks.Hooks, "watch_modules"),
    (hooks.Hooks, "watch_optimizers"),
    (window.Window, "__init__"),
    (window.Window, "begin"),
    (window.Window, "call"),
    (window.Window, "call_end"),
    (window.Window, "backward"),
    (window.Window, "backward_end"),
    (window.Window, "optimizer"),
    (window.Window, "optimizer_end"),
    (window.Window, "close"),
    (window.Window, "messages"),
    (windows, "fitting_recorder"),
    (periods.Periods, "optimizer"),
    (pacing.Pacing, "spend"),
    (pacing.Pacing, "wait"),
    (steps.Steps, "time"),
    (owners.Owners, "search"),
    (owners.Owners, "parameters"),
    (owners.Owners, "optimizer_state"),
    (operator_recorder.OperatorRecorder, "start"),
    (operator_recorder.OperatorRecorder, "recorded"),
    (operator_recorder, "stored_on"),
    (operator_recorder, "writes"),
    (device_log.DeviceLog, "mark"),
    (device_log.DeviceLog, "sight"),
    (device_log.DeviceLog, "message"),
    (lines.Lines, "here"),
)


@pytest.mark.parametrize(
    ("owner", "name"), FAULTS, ids=lambda each: getattr(each, "__name__", each)
)
def test_a_mistake_of_the_observers_removes_it_and_the_program_goes_on(
    owner: object, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistake(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a mistake")

    before = hooks_in()
    plain = _plain(60)
    training = Training()
    with watched() as observed:
        for _ in range(10):
            training.step()
        with monkeypatch.context() as patched:
            patched.setattr(owner, name, mistake)
            if name in ("watch_modules",):
                patched.setattr(steps, "_IDLE_SECONDS", 0.0)
            done = 10
            while not observed.of("removed") and done < 60:
                training.step()
                done += 1
            for _ in range(done, 60):
                training.step()
            if name != "within_module":
                wait_until(lambda: bool(observed.of("removed")), lambda: _calls(training))
            wait_until(lambda: hooks_in() == before, lambda: _calls(training))
    assert training.made() == plain
    assert len(observed.of("removed")) <= 1


def _calls(training: Training) -> None:
    with torch.no_grad():
        training.model(torch.zeros(1, 12))


def test_a_mistake_while_everything_is_taken_out_does_not_reach_the_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    training = Training()
    failed = []

    def mistake(*_: object, **__: object) -> None:
        failed.append(True)
        if len(failed) < 5:
            raise ZeroDivisionError("a mistake")
        leave(observed.agent._windows.hooks)

    leave = hooks.Hooks.leave_modules
    with watched() as observed:
        monkeypatch.setattr(hooks.Hooks, "leave_modules", mistake)
        wait_until(lambda: bool(observed.of("removed")), training.step)
    assert len(observed.of("removed")) == 1


def test_no_tensor_is_kept_alive() -> None:
    training = Training()
    with watched() as observed:  # what is imported at first use leaves frames to the collector
        observed.until("watched_step", training.step)
    gc.collect()
    gc.disable()
    try:
        with watched() as observed:
            for _ in range(30):
                model = classifier()
                inputs = torch.randn(8, 12)
                loss = model(inputs).square().mean()
                loss.backward()
                alive = [weakref.ref(each) for each in (inputs, loss, *model.parameters())]
                alive += [weakref.ref(each.grad) for each in model.parameters()]
                observed.agent.begin()
                loss = model(inputs)
                del model, inputs, loss
                assert not [each() for each in alive if each() is not None]
    finally:
        gc.enable()


def test_the_programs_own_hooks_stay_and_are_called_in_their_order() -> None:
    training, order = Training(), list[str]()
    handles = [
        register_module_forward_hook(lambda *_: order.append("all modules")),
        training.model.register_forward_hook(lambda *_: order.append("the model")),
        register_optimizer_step_post_hook(lambda *_: order.append("all optimizers")),
        training.optimizer.register_step_post_hook(lambda *_: order.append("the optimizer")),
    ]
    training.step()
    plain = list(order)
    order.clear()
    with watched() as observed:
        observed.until("watched_step", training.step)
        order.clear()
        for _ in range(3):
            training.step()
    assert order == 3 * plain
    order.clear()
    training.step()
    assert order == plain
    for handle in handles:
        handle.remove()


def test_an_exception_of_the_program_stays_its_own_where_it_has_hooks_of_its_own() -> None:
    class Fails(nn.Module):
        def forward(self, inputs: Tensor, fails: bool) -> Tensor:
            if fails:
                raise LookupError("the program's")
            return inputs

    model = Fails()
    with watched() as observed, torch.no_grad():
        for number in range(40):
            handle = register_module_forward_hook(lambda *_: None)
            if number % 3 == 2:
                with pytest.raises(LookupError, match="the program's"):
                    model(torch.ones(2), fails=True)
            else:
                model(torch.ones(2), fails=False)
            handle.remove()
        observed.until("watched_step", lambda: model(torch.ones(2), fails=False))


def test_signal_handlers_threads_and_children_are_as_before() -> None:
    handlers = [signal.getsignal(number) for number in signal.valid_signals()]
    training = Training()
    with watched() as observed:
        observed.until("watched_step", training.step)
        observed.agent.begin()
        read, write = os.pipe()
        if (child := os.fork()) == 0:
            try:
                observed.agent.forget()
                left = [
                    each
                    for each in hooks_in()
                    if "vramtop" in getattr(each, "__module__", type(each).__module__)
                ]
                training.step()
                os.write(write, f"{len(left)}".encode())
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        assert os.read(read, 100) == b"0"
        assert [signal.getsignal(number) for number in signal.valid_signals()] == handlers
        assert threading.enumerate() == [threading.current_thread()]
        observed.until("watched_step", training.step, len(observed.of("watched_step")) + 1)
    os.close(read)
    os.close(write)


def test_inference_mode_ends_as_it_began_wherever_a_window_begins_and_ends() -> None:
    model = classifier()
    with watched() as observed:
        for _ in range(60):
            with torch.inference_mode():
                model(torch.randn(2, 12))
            torch.ones(3) + 1
            observed.agent.begin()
        with torch.inference_mode():
            observed.until("watched_step", lambda: model(torch.randn(2, 12)))
            _in_thread(observed.agent.leave)
            model(torch.randn(2, 12))
        torch.ones(3) + 1
