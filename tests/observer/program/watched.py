"""An agent in this process, for which the next window is always due, and what must stay as it was.

The programs are small trainings; each is a function that is given a number of steps.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules import module as modules
from torch.optim import optimizer as optimizers
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack
from vramtop.observer.program import pacing
from vramtop.observer.program.agent import Agent

Message = dict[str, object]
PATIENCE_SECONDS = 30  # on a machine that is busy with other tests


class Watched:
    """The agent, and all that it has sent."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.agent = Agent(self.messages.append, since_start=False)

    def of(self, kind: str) -> list[Message]:
        """The messages of this type."""
        return [message for message in self.messages if message["type"] == kind]

    def until(self, kind: str, step: Callable[[], object], number: int = 1) -> None:
        """Let the program make steps until `number` messages of this type have come."""
        try:
            wait_until(lambda: len(self.of(kind)) >= number, step)
        except AssertionError as error:
            raise AssertionError(
                [m for m in self.messages if m["type"] != "watched_step"][-3:]
            ) from error


def wait_until(reached: Callable[[], bool], meanwhile: Callable[[], object] | None = None) -> None:
    """Wait for a condition; AssertionError if it does not come."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not reached():
        assert time.monotonic() < until, "it never came"
        if meanwhile is None:
            time.sleep(0.001)
        else:
            meanwhile()


def in_thread(call: Callable[[], object]) -> None:
    """Call it in a thread, and wait for that."""
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()


@contextmanager
def watched(*, due: bool = True) -> Iterator[Watched]:
    """Somebody watches; with `due`, one window follows upon the other."""
    before = pacing.LEAST_SECONDS, pacing.MOST_SHARE
    if due:
        pacing.LEAST_SECONDS, pacing.MOST_SHARE = 0.0, 1e9
    made = Watched()
    made.agent.join()
    try:
        yield made
    finally:
        made.agent.leave()
        pacing.LEAST_SECONDS, pacing.MOST_SHARE = before


def hooks_in() -> list[object]:
    """All that an observer puts into PyTorch."""
    return [
        *modules._global_forward_pre_hooks.values(),
        *modules._global_forward_hooks.values(),
        *modules._global_forward_hooks_with_kwargs,
        *modules._global_forward_hooks_always_called,
        *optimizers._global_optimizer_pre_hooks.values(),
        *optimizers._global_optimizer_post_hooks.values(),
        *_get_current_dispatch_mode_stack(),
        torch.autograd._engine_run_backward,
        torch.autograd._make_grads,
        torch._C._cuda_record_memory_history,
        *(sys.modules["torch._dynamo.callback"].callback_handler.start_callbacks
          if "torch._dynamo.callback" in sys.modules else ()),
        *threading.enumerate(),
    ]  # fmt: skip


def seed() -> None:
    torch.manual_seed(0)
    random.seed(0)


def randomness() -> list[object]:
    return [torch.get_rng_state().tolist(), random.getstate()]


def held(module: nn.Module, optimizer: torch.optim.Optimizer) -> list[list[float]]:
    """All that a training has computed, bit for bit."""
    state = [
        value
        for each in optimizer.state.values()
        for value in each.values()
        if isinstance(value, Tensor)
    ]
    return [
        each.detach().double().flatten().tolist()
        for each in (*module.state_dict().values(), *state)
    ]


def classifier(*between: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(12, 16), *between, nn.ReLU(), nn.Linear(16, 4))
