"""A program that makes its steps in threads that end."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import torch
from torch import nn
from watched import wait_until, watched

pytestmark = pytest.mark.usefixtures("nothing_else_there")
REASON = "the program's thread ended before two of its steps were recorded"


@pytest.fixture
def step() -> Callable[[], None]:
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step() -> None:
        model(torch.ones(8, 4)).sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def in_a_thread(step: Callable[[], object]) -> int | None:
    """Returns the thread's number."""
    thread = threading.Thread(target=step)
    thread.start()
    thread.join()
    return thread.ident


def test_steps_whose_thread_has_ended_are_not_reported_on_a_cpu(step: Callable[[], None]) -> None:
    numbers: list[int | None] = []
    with watched() as observed:
        observed.until("missing", lambda: numbers.append(in_a_thread(step)), number=5)
        assert len(set(numbers)) < len(numbers)  # a thread gets the number of one that has ended
        assert {message["reason"] for message in observed.of("missing")} == {REASON}
        assert not observed.of("watched_step")
        observed.until("watched_step", step)


def test_where_no_other_thread_follows_the_observer_itself_sees_that_one_has_ended(
    step: Callable[[], None],
) -> None:
    with watched(due=False) as observed:
        windows = observed.agent._windows
        wait_until(lambda: windows.due)
        # A step opens no window while the observer looks for work.
        while windows.window is None and not observed.of("missing"):
            in_a_thread(step)
        wait_until(lambda: bool(observed.of("missing")))
        assert [message["reason"] for message in observed.of("missing")] == [REASON]
        assert windows.window is None
