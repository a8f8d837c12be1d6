"""A program that makes each of its steps in a thread of its own."""

from __future__ import annotations

import threading

import torch
from torch import nn
from watched import watched


def test_steps_whose_thread_has_ended_are_not_reported_on_a_cpu() -> None:
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    numbers: list[int] = []

    def step() -> None:
        numbers.append(threading.get_ident())
        model(torch.ones(8, 4)).sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    def in_a_thread() -> None:
        thread = threading.Thread(target=step)
        thread.start()
        thread.join()

    with watched() as observed:
        observed.until("missing", in_a_thread)
        assert len(set(numbers)) < len(numbers)  # a thread gets the number of one that has ended
        reason = "the program's thread ended before two of its steps were recorded"
        assert {message["reason"] for message in observed.of("missing")} == {reason}
        assert not observed.of("watched_step")
        observed.until("watched_step", step)
