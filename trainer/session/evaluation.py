"""The model on the test data; its memory is reported apart from that of steps."""

from __future__ import annotations

from contextlib import suppress
from typing import Protocol

from vramtop.accounting.account import NoAccount
from vramtop.protocol.split import Split
from vramtop.trainer.device import memory
from vramtop.trainer.training.out_of_memory import OutOfMemoryFacts, out_of_memory_facts
from vramtop.trainer.training.training import Score, Training
from vramtop.trainer.training.watcher import Unwatched, Watcher

EVALUATION_BATCH = 1000


class Listener(Protocol):
    """Receives the results of an evaluation."""

    def evaluation(
        self, training: Training, score: Score, batch_size: int, peak: Split | None
    ) -> None:
        """The test data was evaluated, `batch_size` images at a time."""

    def evaluation_out_of_memory(self, facts: OutOfMemoryFacts, batch_size: int) -> None:
        """`batch_size` test images at a time did not fit."""


class Evaluation:
    """Evaluates a model on the test data and reports to the `listener`.

    With `observe` the first evaluation is recorded. Its sizes depend only on the settings, so later
    ones are not: a small dataset ends many epochs a second.
    """

    def __init__(self, listener: Listener, *, observe: bool) -> None:
        self._listener = listener
        self._observe = observe
        self.forget()

    def forget(self) -> None:
        """Start over after a change: other sizes may fit now, and they are recorded again."""
        self._batch_size = EVALUATION_BATCH
        self._peak: Split | None = None

    def run(self, training: Training, limit: int | None) -> None:
        """Evaluate all test images once; the batch is halved until it fits."""
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
                    with suppress(NoAccount):  # reported with the steps
                        self._peak = recording.anatomy().peak.split
                self._listener.evaluation(training, score, self._batch_size, self._peak)
                return
            memory.release(training.device)
            if recording is None and self._observe:
                self._peak = None  # once more, recorded, to learn what does not fit
                continue
            size, half = self._batch_size, self._batch_size // 2
            self._listener.evaluation_out_of_memory(facts, size)
            # If not even one image fits, the next epoch's end starts over: there may be room again.
            self._batch_size = half or EVALUATION_BATCH
            if half == 0:
                return
