"""The messages that a session sends: samples, anatomies, timings, failures."""

from __future__ import annotations

import time

import psutil
import torch
from msgspec.structs import replace
from torch import Tensor
from vramtop.accounting.account import NoAccount
from vramtop.protocol.lesson.messages import (
    Configured,
    Evaluated,
    LessonMeasured,
    LessonOutOfMemory,
    LessonSample,
    Noise,
    Predicted,
)
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import Device, Expectation, Note
from vramtop.protocol.split import Phase, Split
from vramtop.trainer.device.memory import device_memory
from vramtop.trainer.training.ledger import RecordedStep
from vramtop.trainer.training.out_of_memory import OutOfMemoryFacts
from vramtop.trainer.training.timing import Fetch, Mean, stopwatch
from vramtop.trainer.training.training import Score, Training

from .expectations import differences, expectations, formula_for
from .outbox import Outbox

SAMPLE_SECONDS = 0.1
RESIDENT_SECONDS = 0.25


class _Resident:
    """The worker's resident memory, read rarely because reading takes time."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._bytes = 0
        self._read = -RESIDENT_SECONDS

    def bytes(self) -> int:
        now = time.monotonic()
        if now - self._read >= RESIDENT_SECONDS:
            self._bytes, self._read = self._process.memory_info().rss, now
        return self._bytes


class Reports:
    """Puts messages into the outbox, with at most one sample in `SAMPLE_SECONDS`.

    With `every_step` each step has its sample, and the training waits for the device. Otherwise a
    sample goes out once its loss has arrived, and the training never waits.
    """

    def __init__(self, outbox: Outbox, *, every_step: bool) -> None:
        self._outbox = outbox
        self._every_step = every_step
        self._resident = _Resident()
        self._settings = Settings()  # in force
        self._expected: tuple[Expectation, ...] = ()

    def _forget(self, device: torch.device) -> None:
        """Forget splits, timings and losses, which belong to other settings."""
        self._end_of_step: dict[int, Split] = {}  # by rows of the step
        self._stopwatch = stopwatch(device)
        self._timing = Mean()
        self._coming: tuple[LessonSample, Fetch] | None = None
        self._unreported: int | None = None  # rows of the latest step, if no sample reports it
        self._loss: float | None = None
        self._reason = ""  # why there is no account
        self._sampled = -SAMPLE_SECONDS

    def settings(
        self, settings: Settings, device: Device, training: Training, *, fresh: bool = False
    ) -> None:
        """These settings are in force now; a `fresh` training begins with them."""
        self._forget(training.device)
        data = training.dataset.data
        self._settings = settings
        self._expected = expectations(settings, data.shape)
        self._outbox.post(
            Configured(
                "MLP",
                device,
                training.layers(),
                self._expected,
                settings=settings,
                data=data,
                formula=formula_for(settings, data.shape),
                fresh=fresh,
            )
        )

    def plain_step(self) -> None:
        """A plain step is about to begin; it is timed."""
        self._stopwatch.start()

    def step(
        self,
        training: Training,
        loss: Tensor,
        rows: int,
        *,
        plain: bool,
        walked: bool = False,
        last: bool = False,
    ) -> None:
        """A step on `rows` images has ended; a plain one was timed.

        A `walked` step is reported at once, and so is the `last` one before a pause, since no later
        step will report it.
        """
        if plain:
            self._stopwatch.stop(rows)
        wanted = self._every_step or walked or last
        self._deliver(wait=wanted)
        due = wanted or time.monotonic() - self._sampled >= SAMPLE_SECONDS
        self._unreported = rows
        if due and self._coming is None:
            self._unreported = None
            self._sampled = time.monotonic()
            # Only a walked step pauses at its end.
            split = None if last and not walked else self._end_of_step.get(rows)
            sample = self._sample(training, rows, "zero_grad", split)
            self._coming = sample, Fetch(loss)
            self._deliver(wait=wanted)

    def rest(self, training: Training) -> None:
        """At a pause, report the latest step, without its loss, if no sample has reported it."""
        self._deliver(wait=True)
        if self._unreported is not None:
            sample = self._sample(training, self._unreported, "zero_grad", None)
            self._unreported = None
            self._outbox.offer(replace(sample, loss=None))

    def held(self, training: Training, rows: int, phase: Phase, split: Split, part: int) -> None:
        """A step on `rows` images pauses at the end of `phase` of its batch number `part`."""
        self._deliver(wait=True)
        self._outbox.offer(replace(self._sample(training, rows, phase, split), part=part))

    def _deliver(self, *, wait: bool) -> None:
        """Send the sample whose loss is on its way, if that has arrived or `wait` is set."""
        if self._coming is None:
            return
        sample, fetch = self._coming
        if wait or fetch.arrived():
            self._coming, self._loss = None, fetch.value()
            self._timing.read(self._stopwatch.known())
            self._outbox.offer(
                replace(
                    sample,
                    loss=self._loss,
                    step_seconds=self._timing.step_seconds,
                    samples_per_second=self._timing.samples_per_second,
                ),
                at_once=wait,
            )

    def _sample(
        self, training: Training, rows: int, phase: Phase, split: Split | None
    ) -> LessonSample:
        return LessonSample(
            step=training.progress.steps,
            epoch=training.epoch,
            position=training.position,
            images=training.progress.images,
            batch_size=rows,
            loss=self._loss,
            phase=phase,
            split=split,
            step_seconds=self._timing.step_seconds,
            samples_per_second=self._timing.samples_per_second,
            resident=self._resident.bytes(),
        )

    def anatomy(
        self,
        training: Training,
        recording: RecordedStep,
        rows: int,
        *,
        settled: bool,
        news: bool,
    ) -> None:
        """A recorded step has ended. As `news` its anatomy is sent even if a newer one follows.

        Where there is no account of it, the reason is reported once.
        """
        try:
            anatomy = recording.anatomy()
        except NoAccount as reason:
            self.no_account(reason)
            return
        self._end_of_step = {rows: anatomy.boundaries["zero_grad"]}
        full = rows == self._settings.effective_batch
        message = LessonMeasured(
            step=training.progress.steps,
            batch_size=rows,
            settled=settled,
            anatomy=anatomy,
            allocator=recording.allocator(),
            tensors=recording.tensors(anatomy),
            differences=differences(self._settings, self._expected, anatomy.high_water)
            if full
            else (),
            device_memory=device_memory(training.device),
        )
        if news:
            self._outbox.post(message)
        else:
            self._outbox.offer(message, at_once=False)

    def no_account(self, reason: NoAccount) -> None:
        """There is no account of a step; the same reason is reported once."""
        if str(reason) != self._reason:
            self._reason = str(reason)
            self.note(f"no account of this device's memory: {reason}")

    def evaluation(
        self, training: Training, score: Score, batch_size: int, peak: Split | None
    ) -> None:
        """The model was evaluated; `peak` is the split at the evaluation's own peak."""
        self._outbox.post(
            Evaluated(
                epoch=training.epoch,
                loss=score.loss,
                accuracy=score.accuracy,
                images=score.images,
                batch_size=batch_size,
                peak=peak,
            ),
            at_once=False,  # small data ends many epochs a second
        )

    def noise(self, noise: Noise | None) -> None:
        """The gradient's noise was estimated; None means that there was no memory for it."""
        if noise is None:
            self.note("no memory to spare for estimating the gradient's noise")
        else:
            # A later round may not know the scale any more, so it replaces none before it.
            self._outbox.post(noise, at_once=False)

    def gave_back(self, size: int | None) -> None:
        """The allocator gave `size` bytes back to the driver; None where it has no cache."""
        text = "this device's allocator keeps no cache"
        if size is not None:
            text = f"{size:,} B of cache given back" if size else "there was no cache to give back"
        self.note(text)

    def out_of_memory(
        self, facts: OutOfMemoryFacts, failed: Settings, back: Settings | None
    ) -> None:
        """A step did not fit; training goes on with the settings `back`, if there are any."""
        restored = back.batch_size if back else None
        self._out_of_memory(
            facts, failed.batch_size, restored, accumulation=failed.accumulation, back=back
        )

    def evaluation_out_of_memory(self, facts: OutOfMemoryFacts, batch_size: int) -> None:
        """`batch_size` test images did not fit; the evaluation goes on with half as many."""
        self._out_of_memory(facts, batch_size, batch_size // 2 or None)

    def _out_of_memory(
        self,
        facts: OutOfMemoryFacts,
        batch_size: int,
        restored: int | None,
        *,
        accumulation: int = 1,
        back: Settings | None = None,
    ) -> None:
        self._outbox.post(
            LessonOutOfMemory(
                batch_size=batch_size,
                restored=restored,
                accumulation=accumulation,
                back=back,
                **vars(facts),
            )
        )

    def retrying(self, facts: OutOfMemoryFacts) -> None:
        """A step did not fit and is taken once more."""
        where = f" in {facts.phase}" if facts.phase else ""
        self.note(f"out of memory{where}: the step is taken again, with the cache given back")

    def predicted(self, larger: Predicted) -> None:
        """What a larger batch would hold was predicted."""
        self._outbox.post(larger)

    def note(self, text: str) -> None:
        """A line for the log."""
        self._outbox.post(Note(text))
