"""A step of a session: taken, recorded if that is due, reported, and recovered from."""

from __future__ import annotations

from torch import Tensor
from vramtop.protocol.split import Phase, Split
from vramtop.trainer.fitting.fake_tensors import FakeTensors
from vramtop.trainer.training.ledger import RecordedStep
from vramtop.trainer.training.out_of_memory import out_of_memory_facts
from vramtop.trainer.training.watcher import Unwatched, Watcher

from .conversation import Conversation
from .recovery import Recovery
from .reports import Reports
from .setup import Setup
from .snapshots import CannotKeep, Keeper
from .watching import PausingRecording


class Steps:
    """Takes the steps of one `setup`, at the pace that the conversation `talk` sets.

    A step that runs out of memory goes to its `recovery`. With `fake_tensors`, settings that have
    settled bring a prediction for a larger batch, once these are there. Snapshots go to the
    `keeper` from time to time.
    """

    def __init__(
        self,
        setup: Setup,
        recovery: Recovery,
        reports: Reports,
        talk: Conversation,
        keeper: Keeper,
        *,
        fake_tensors: FakeTensors | None,
    ) -> None:
        self._setup = setup
        self._recovery = recovery
        self._reports = reports
        self._talk = talk
        self._keeper = keeper
        self._fake_tensors = fake_tensors
        self._unpredicted = False  # the settings have settled, and no prediction was made

    def take(self, most: int | None) -> None:
        """Take one step on at most `most` images, and evaluate after an epoch's last."""
        training, settings = self._setup.training, self._setup.settings
        rows = min(settings.effective_batch, training.batches.remaining)
        if most is not None:
            rows = min(rows, most)
        full = rows == settings.effective_batch
        self._setup.estimate_noise(min(rows, settings.batch_size))
        recording = self._setup.recording(full=full, walked=self._talk.walking)
        watcher = self._watcher(recording, rows)
        if recording is None:
            self._reports.plain_step()
        try:
            loss = training.step(settings.batch_size, watcher, settings.accumulation, rows)
        except RuntimeError as error:
            known = watcher if isinstance(watcher, Unwatched) else recording
            facts = out_of_memory_facts(error, known)
        else:
            self._stepped(loss, rows, recording, full=full)
            return
        # Outside the handler: while an error is handled, its traceback keeps the step's tensors.
        self._recovery.step_failed(facts, recorded=recording is not None)

    def _watcher(self, recording: RecordedStep | None, rows: int) -> Watcher:
        """The watcher of the coming step; that of a walked step pauses at its boundaries."""
        if recording is None:
            return Unwatched()
        if not self._talk.walking:
            return recording
        return PausingRecording(
            recording, lambda phase, split, part: self._hold(rows, phase, split, part)
        )

    def _hold(self, rows: int, phase: Phase, split: Split, part: int) -> None:
        """Show this boundary inside a step, and wait there until the training may go on."""
        self._reports.held(self._setup.training, rows, phase, split, part)
        self._talk.hold()

    def _stepped(
        self, loss: Tensor, rows: int, recording: RecordedStep | None, *, full: bool
    ) -> None:
        """Report a step that has ended, and evaluate after an epoch's last."""
        training, schedule = self._setup.training, self._setup.schedule
        self._recovery.step_ended(full=full)
        settled_before = schedule.settled
        schedule.passed(full=full, recorded=recording is not None)
        if recording is not None:
            self._reports.anatomy(
                training, recording, rows, settled=schedule.settled, news=not settled_before
            )
        plain, walked = recording is None, recording is not None and self._talk.walking
        try:
            if not training.epoch_ended:
                self._talk.listen()  # now, so that a pause still finds the step's loss
        finally:  # the step is reported even if the session ends here
            last = self._talk.paused
            self._reports.step(training, loss, rows, plain=plain, walked=walked, last=last)
        if schedule.settled and not settled_before:
            self._recovery.settled()
            self._unpredicted = True
        if schedule.settled and self._may_predict:
            self._unpredicted = False
            if (larger := self._setup.predict_larger()) is not None:
                self._reports.predicted(larger)
        if schedule.settled and self._keeper.due():
            self._keep()
        if training.epoch_ended:
            self._setup.evaluate()
        self._talk.linger()

    @property
    def _may_predict(self) -> bool:
        fakes = self._fake_tensors
        return self._unpredicted and fakes is not None and fakes.ready

    def _keep(self) -> None:
        """Put a snapshot on the shelf, from which a new process can go on if this one dies."""
        try:
            self._keeper.keep(self._setup.snapshot)
        except CannotKeep as error:
            self._reports.note(str(error))
