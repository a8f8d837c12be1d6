"""The model on the test data: memory of its own, never counted into a step's."""

from __future__ import annotations

from contextlib import suppress
from typing import Protocol

from vramtop.observer.trace import NoAccount
from vramtop.protocol.split import Split
from vramtop.trainer.device import memory
from vramtop.trainer.training.out_of_memory import OutOfMemoryFacts, out_of_memory_facts
from vramtop.trainer.training.training import Score, Training, Unwatched, Watcher

EVALUATION_BATCH = 1000


class Listener(Protocol):
    """Whoever wants to know what comes of an evaluation."""

    def evaluation(
        self, training: Training, score: Score, batch_size: int, peak: Split | None
    ) -> None:
        """The test data was seen, so many images at a time."""

    def evaluation_out_of_memory(self, facts: OutOfMemoryFacts, batch_size: int) -> None:
        """So many test images at a time did not fit."""


class Evaluation:
    """Tries a model on the test data, and says so.

    Its sizes depend on the settings alone, so one look at them is enough, where it is to `observe`
    at all: small data ends many epochs a second.
    """

    def __init__(self, listener: Listener, *, observe: bool) -> None:
        self._listener = listener
        self._observe = observe
        self.forget()

    def forget(self) -> None:
        """What did not fit may fit now, and what fitted may not."""
        self._batch_size = EVALUATION_BATCH
        self._peak: Split | None = None

    def run(self, training: Training, limit: int | None) -> None:
        """All test images once; in halves, and quarters, where there is no more room."""
        while True:
            unseen = self._observe and self._peak is None
            recording = training.ledger.record(limit) if unseen else None
            try:
                first: Watcher = Unwatched() if recording is None else recording
                score = training.evaluate(self._batch_size, first)
            except RuntimeError as error:
                facts = out_of_memory_facts(error, recording, "evaluation")
            else:
                if recording is not None:
                    with suppress(NoAccount):  # which is told of the steps
                        self._peak = recording.anatomy().peak.split
                self._listener.evaluation(training, score, self._batch_size, self._peak)
                return
            memory.release(training.device)
            if recording is None and self._observe:
                self._peak = None  # once more, to see what has no room
                continue
            size, half = self._batch_size, self._batch_size // 2
            self._listener.evaluation_out_of_memory(facts, size)
            # Not even one image: at the next epoch's end there may be more room again.
            self._batch_size = half or EVALUATION_BATCH
            if half == 0:
                return
