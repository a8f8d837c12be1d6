"""What is the program's stays as it was: tensors, hooks, exceptions, signals, threads, modes."""

from __future__ import annotations

import gc
import os
import signal
import threading
import weakref

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook
from torch.optim.optimizer import register_optimizer_step_post_hook
from training_with_places import Training
from vramtop.observer.program.agent import Agent
from vramtop.observer.program.windows import Windows
from watched import classifier, hooks_in, in_thread, watched

pytestmark = pytest.mark.usefixtures("nothing_else_there", "nothing_is_left")


def test_a_window_that_is_given_up_takes_its_hooks_with_it() -> None:
    before = hooks_in()
    agent = Agent(lambda _: None, since_start=False)
    opened = Windows(agent, lambda *_: None, since_start=False)
    opened.open()
    assert opened.hooks.any
    opened.abandon()
    assert not opened.hooks.any
    assert opened.take_out()
    assert hooks_in() == before


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
    threads = set(threading.enumerate())
    training = Training()
    with watched() as observed:
        observed.until("watched_step", training.step)
        observed.agent.begin()
        read, write = os.pipe()
        if (child := os.fork()) == 0:
            told = ""
            try:
                observed.agent.forget()
                left = [
                    each
                    for each in hooks_in()
                    if "vramtop" in getattr(each, "__module__", type(each).__module__)
                ]
                # A child may be refused a backward pass, by what was compiled before the fork.
                training.model(torch.randn(8, 12))
                training.optimizer.step()
                told = f"{len(left)} left"
            except BaseException as error:
                told = f"{type(error).__name__}: {error}"
            finally:
                os.write(write, told.encode())
                os._exit(0)
        os.waitpid(child, 0)
        assert os.read(read, 1000) == b"0 left"
        assert [signal.getsignal(number) for number in signal.valid_signals()] == handlers
        assert set(threading.enumerate()) <= threads
        observed.until("watched_step", training.step, len(observed.of("watched_step")) + 1)
    os.close(read)
    os.close(write)


def test_inference_mode_ends_as_it_began_wherever_a_window_begins_and_ends() -> None:
    model = classifier()
    with watched() as observed:
        for _ in range(60):
            with torch.inference_mode():
                model(torch.randn(2, 12))
            assert not (torch.ones(3) + 1).is_inference()
            observed.agent.begin()
        with torch.inference_mode():
            observed.until("watched_step", lambda: model(torch.randn(2, 12)))
            in_thread(observed.agent.leave)
            model(torch.randn(2, 12))
        assert not (torch.ones(3) + 1).is_inference()
