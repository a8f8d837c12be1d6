"""Several settings compared: each trains from its initial parameters, on the same images.

The losses equal those of `vramtop sweep` to the bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from vramtop.protocol.lesson.checks import check
from vramtop.protocol.lesson.commands import Compare
from vramtop.protocol.lesson.messages import Compared, Comparing
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.split import Split
from vramtop.trainer.data.datasets import Dataset
from vramtop.trainer.device import memory
from vramtop.trainer.training.out_of_memory import OutOfMemoryFacts, out_of_memory_facts
from vramtop.trainer.training.timing import Mean, stopwatch
from vramtop.trainer.training.training import Score, Training
from vramtop.trainer.training.watcher import Unwatched

from .evaluation import Evaluation
from .outbox import Outbox
from .reports import SAMPLE_SECONDS
from .watching import Schedule


class _Scores:
    """Keeps the score of the latest evaluation; None if not even one image fitted."""

    def __init__(self) -> None:
        self.latest: Score | None = None

    def evaluation(
        self, training: Training, score: Score, batch_size: int, peak: Split | None
    ) -> None:
        """Keep the score."""
        del training, batch_size, peak
        self.latest = score

    def evaluation_out_of_memory(self, facts: OutOfMemoryFacts, batch_size: int) -> None:
        """Do nothing: the evaluation goes on with smaller batches."""
        del facts, batch_size


class Comparison:
    """The runs that `compare` asks for, one after the other, on `device`.

    Progress and results go into the `outbox`. `listen` is called before each step and may raise to
    end the comparison. Raises `SettingError` where some settings are impossible.
    """

    def __init__(
        self,
        compare: Compare,
        dataset: Dataset,
        device: torch.device,
        outbox: Outbox,
        listen: Callable[[], None],
    ) -> None:
        for settings in compare.runs:
            check(settings, pixels=dataset.pixels, images=len(dataset.train))
        self._compare = compare
        self._dataset = dataset
        self._device = device
        self._outbox = outbox
        self._listen = listen
        self._reported = -SAMPLE_SECONDS

    def run(self, limit: int | None) -> None:
        """Take all runs; with a `limit`, a step may hold at most that many bytes."""
        for number, settings in enumerate(self._compare.runs, start=1):
            again = self._device.type == "cuda"
            while True:
                try:
                    self._outbox.post(self._run(settings, number, limit))
                except RuntimeError as error:
                    facts = out_of_memory_facts(error, None)
                else:
                    break
                # It may fit with an empty cache, which is not fragmented by earlier runs.
                memory.release(self._device)
                if not again:
                    self._outbox.post(self._ran_out(settings, facts))
                    break
                again = False
            memory.release(self._device)

    def _ran_out(self, settings: Settings, facts: OutOfMemoryFacts) -> Compared:
        return Compared(
            settings,
            self._compare.images,
            out_of_memory=True,
            needed=facts.needed,
            limit=facts.limit,
        )

    def _run(self, settings: Settings, number: int, limit: int | None) -> Compared:
        """Take one run; raises PyTorch's error where it runs out of memory."""
        training, images = Training(settings, self._dataset, self._device), self._compare.images
        evaluation = Evaluation(scores := _Scores(), observe=True)
        evaluation.run(training, limit)
        before, scores.latest = scores.latest, None
        schedule, clock, anatomy = Schedule(settings.accumulation), stopwatch(self._device), None
        while (left := images - training.progress.images) > 0:
            self._listen()
            self._report(settings, number, images - left)
            rows = min(settings.effective_batch, training.batches.remaining, left)
            full = rows == settings.effective_batch
            recording = None if schedule.settled else training.ledger.record(limit)
            if recording is None and full:
                clock.start()
            training.step(
                settings.batch_size, recording or Unwatched(), settings.accumulation, rows
            )
            if recording is not None:
                anatomy = recording.anatomy() if full else anatomy
            elif full:
                clock.stop(rows)
            schedule.passed(full=full, recorded=recording is not None)
        evaluation.run(training, limit)
        after, timing = scores.latest, Mean()
        timing.read(clock.known())
        return Compared(
            settings,
            images,
            before=before.loss if before else None,
            after=after.loss if after else None,
            accuracy=after.accuracy if after else None,
            anatomy=anatomy if schedule.settled else None,
            step_seconds=timing.step_seconds,
            samples_per_second=timing.samples_per_second,
        )

    def _report(self, settings: Settings, number: int, done: int) -> None:
        """Report progress, at most once in `SAMPLE_SECONDS`."""
        if time.monotonic() - self._reported >= SAMPLE_SECONDS:
            self._reported = time.monotonic()
            runs, images = len(self._compare.runs), self._compare.images
            self._outbox.offer(Comparing(settings.batch_size, number, runs, done, images))
