"""Ways to run out of memory on the host: by a budget, or by an error at a chosen call."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from vramtop.protocol.lesson.settings import Settings
from vramtop.trainer.data.datasets import Library
from vramtop.trainer.training.training import Training


def run_out_of_memory(
    monkeypatch: pytest.MonkeyPatch,
    owner: type,
    name: str,
    *,
    after: int,
    times: int = 1,
    before: Callable[[Any], object] = id,
) -> None:
    """Let a method fail `times` times after `after` calls; `before` gets its object first."""
    method, made = getattr(owner, name), list[int]()

    def run(self: object, *given: object, **named: object) -> object:
        made.append(1)
        if after < len(made) <= after + times:
            before(self)
            raise torch.OutOfMemoryError("others took it")
        return method(self, *given, **named)

    monkeypatch.setattr(owner, name, run)


def steps_fit(library: Library, settings: Settings) -> bool:
    """Whether two steps with these settings stay within their budget, by the ledger."""
    training = Training(settings, library.load(settings.dataset), torch.device("cpu"))
    try:
        for _ in range(2):
            training.batches.seek(1, 0)
            recording = training.ledger.record(settings.budget)
            training.step(settings.batch_size, recording, settings.accumulation)
    except torch.OutOfMemoryError:
        return False
    return True
