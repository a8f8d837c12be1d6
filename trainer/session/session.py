"""The training loop: the commands it obeys, and how it gets over a lack of memory."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from dataclasses import replace

import msgspec
import torch
from torch import Tensor
from vramtop.observer.accounts import unaccounted
from vramtop.observer.ledger import Recording
from vramtop.protocol.commands import GiveBack
from vramtop.protocol.lesson.checks import check
from vramtop.protocol.lesson.commands import (
    Change,
    Compare,
    FindLargest,
    HandOver,
    Reset,
    ShowImage,
    Start,
)
from vramtop.protocol.lesson.messages import ComparisonEnded, SearchEnded
from vramtop.protocol.lesson.settings import DatasetName, SettingError, Settings
from vramtop.protocol.lesson.shelf import Shelf
from vramtop.protocol.messages import Answer, Device, Ended, Note
from vramtop.protocol.split import Phase, Split
from vramtop.protocol.wire.framing import ToWorker
from vramtop.trainer.data.datasets import DataError, Dataset
from vramtop.trainer.data.pictures import Gallery
from vramtop.trainer.device import memory
from vramtop.trainer.device.devices import describe
from vramtop.trainer.fitting.fit import forecast
from vramtop.trainer.fitting.largest import Hindsight
from vramtop.trainer.fitting.reductions import card
from vramtop.trainer.fitting.search import Search
from vramtop.trainer.training.noise import NoiseSampler
from vramtop.trainer.training.shortage import Shortage, shortage
from vramtop.trainer.training.training import Progress, Snapshot, Training, Unwatched, Watcher, kind

from .comparison import Comparison
from .conversation import CalledOff, Conversation, StopSession, Waiting
from .evaluation import Evaluation
from .outbox import Outbox
from .recovery import Recovery, smaller, with_batch
from .reports import Reports
from .snapshots import CannotKeep, Keeper
from .watching import Held, Schedule


class Session:
    """Trains until told to stop.

    `load` gives the dataset of a name (it may raise `DataError`), `inbox` the commands, None when
    nobody is there to send any. Snapshots go to the `shelf`; `described` tells of the device what
    is known besides. All of it happens on the thread that makes it and calls `run`.
    Raises `SettingError` or `DataError` where it cannot begin.
    """

    def __init__(
        self,
        start: Start,
        device: torch.device,
        load: Callable[[DatasetName], Dataset],
        outbox: Outbox,
        inbox: queue.SimpleQueue[ToWorker | None],
        *,
        shelf: Shelf | None = None,
        described: Device | None = None,
    ) -> None:
        self._device = device
        self._described = described or describe(device)
        self._load = load
        self._outbox = outbox
        self._talk = Conversation(inbox, outbox, self._aside)
        self._observe = start.observe
        # For whoever may press a key; not for a run that nobody can change.
        self._foretells = start.observe and not start.every_step
        self._reports = Reports(outbox, every_step=start.every_step)
        self._evaluation = Evaluation(self._reports, observe=start.observe)
        self._gallery = Gallery()
        self._keeper = Keeper(shelf)
        self._begin(start.settings, start, self._keeper.latest() if start.resume else None)
        if reason := unaccounted(device):
            outbox.post(Note(f"the allocator's figures are N/A: {reason}"))

    @property
    def progress(self) -> Progress:
        """How far the training has come, as it counts itself."""
        return self._training.progress

    def run(self) -> None:
        """Train and obey until `Stop`, or until nobody is there to command."""
        try:
            while True:
                self._obey()
                self._train()
                self._look_back()
        except StopSession:
            self._end()

    def _begin(
        self, settings: Settings, goal: Start | Reset, snapshot: Snapshot | None = None
    ) -> None:
        """A training from a snapshot or its initial parameters on, up to where `goal` ends it.

        Until it has room, nothing of the one before is touched.
        """
        settings = msgspec.structs.replace(settings, device=str(self._device))
        dataset = self._load(settings.dataset)
        check(settings, pixels=dataset.pixels, images=len(dataset.train))
        limit = memory.enforce(self._device, settings.budget)
        self._training = Training(settings, dataset, self._device)
        if snapshot is not None:
            self._training.restore(snapshot)
            self._training.use_rate(settings.rate)
        self._limit = limit
        self._settings = settings
        self._goal = goal
        self._schedule = Schedule(settings.accumulation)
        self._noise = NoiseSampler()
        self._good: Snapshot | None = None
        self._owed: Snapshot | None = None  # what there was no room to go back to
        self._hindsight: Hindsight | None = None
        self._recovery: Recovery | None = None
        self._fits, self._worked, self._retried = True, False, False
        self._ended = False
        self._evaluation.forget()
        self._reports.settings(settings, self._described, self._training, fresh=True)

    def _train(self) -> None:
        """One step, and the test data after an epoch's last."""
        training, settings = self._training, self._settings
        rows = min(settings.effective_batch, training.batches.remaining)
        if self._goal.images is not None:
            rows = min(rows, self._goal.images - training.progress.images)
        full = rows == settings.effective_batch
        loaded = min(rows, settings.batch_size)
        epochs = training.progress.images / len(training.dataset.train)
        if self._observe and self._schedule.settled and self._noise.due(loaded, epochs):
            noise = self._noise.sample(training, loaded, self._limit)
            if noise is not None or not self._noise.room:
                self._reports.noise(noise)
        recording, watcher = self._watcher(rows, full=full)
        if isinstance(watcher, Unwatched):
            self._reports.plain_step()
        try:
            loss = training.step(settings.batch_size, watcher, settings.accumulation, rows)
        except RuntimeError as error:
            seen = watcher if isinstance(watcher, Unwatched) else recording
            lack = shortage(error, seen)
        else:
            self._stepped(loss, rows, recording, full=full)
            return
        if self._can_try_again(seen=recording is not None):
            self._try_again(lack)
            return
        self._recover(lack)

    def _stepped(self, loss: Tensor, rows: int, recording: Recording | None, *, full: bool) -> None:
        """Tell of a step that has ended, and try the test data after an epoch's last."""
        training = self._training
        self._worked, self._retried = self._worked or full, False
        settled = self._schedule.settled
        self._schedule.passed(full=full, seen=recording is not None)
        if recording is not None:
            self._reports.anatomy(
                training, recording, rows, settled=self._schedule.settled, news=not settled
            )
        plain, walked = recording is None, recording is not None and self._talk.walking
        try:
            if not training.epoch_ended:
                self._talk.listen()  # now, while there is a loss to tell before a pause
        finally:  # a step is told of though it may be the session's last one
            last = self._talk.paused
            self._reports.step(training, loss, rows, plain=plain, walked=walked, last=last)
        if self._schedule.settled and not settled:
            self._good, self._recovery = training.snapshot(self._settings), None
            if self._foretells:
                self._foretell()
        if self._schedule.settled and self._keeper.due():
            self._keep()
        if training.epoch_ended:
            self._evaluation.run(self._training, self._limit)
        self._talk.linger()

    def _keep(self) -> None:
        """Put a snapshot on the shelf, for whoever goes on should this process die."""
        began = time.monotonic()
        try:
            self._keeper.keep(self._training.snapshot(self._settings), began)
        except CannotKeep as error:
            self._outbox.post(Note(str(error)))

    def _foretell(self) -> None:
        """Say what twice the batch size would hold: once, when that of this one is known."""
        dataset = self._training.dataset
        size = min(2 * self._settings.batch_size, len(dataset.train) // self._settings.accumulation)
        if size > self._settings.batch_size:
            larger = msgspec.structs.replace(self._settings, batch_size=size)
            self._outbox.post(
                forecast(larger, dataset.data.shape, self._device, card(self._device))
            )

    def _watcher(self, rows: int, *, full: bool) -> tuple[Recording | None, Watcher]:
        """Who listens to the coming step; a walk through its phases is always recorded."""
        walking = self._talk.walking
        if not self._observe or not (walking or self._schedule.due(full=full)):
            return None, Unwatched()
        # Once settled, sizes stay as they were, and the limit need not be asked again.
        limit = None if self._schedule.settled else self._limit
        recording = self._training.ledger.record(limit)
        if not walking:
            return recording, recording
        return recording, Held(
            recording, lambda phase, split, part: self._hold(rows, phase, split, part)
        )

    # ---- commands ---------------------------------------------------------------------------

    def _obey(self) -> None:
        """Take what has come, and wait while there is nothing to do."""
        talk = self._talk
        while True:
            talk.listen()
            while talk.changes and not talk.handing_over:
                self._take(talk.changes.popleft())
            if self._reached:
                self._finish()
            elif self._fits and talk.may_go():
                return
            while self._hindsight is not None and talk.silent:
                self._look_back()
            if talk.paused and not self._ended:
                self._reports.rest(self._training)
            talk.wait()

    def _aside(self, command: GiveBack | ShowImage) -> None:
        """Give the cache back, or show an image; the training has nothing to do with it."""
        if isinstance(command, GiveBack):
            self._reports.gave_back(memory.release(self._device))
            return
        refusal = None
        try:
            self._outbox.post(self._gallery.show(self._training.dataset, command.index))
        except SettingError as error:
            refusal = str(error)
        self._outbox.post(Answer(command.command, refusal))

    def _hold(self, rows: int, phase: Phase, split: Split, part: int) -> None:
        """Show this boundary inside a step, and wait as the flow says."""
        self._reports.held(self._training, rows, phase, split, part)
        self._talk.hold()

    def _take(self, command: Waiting) -> None:
        """Put a change into force, or say why not and stay as it was."""
        lack, refusal = None, None
        try:
            if isinstance(command, Reset):
                self._reset(command)
            elif isinstance(command, FindLargest):
                self._find()
            elif isinstance(command, HandOver):
                self._hand_over()
            elif isinstance(command, Compare):
                self._compare(command)
            else:
                self._change(command)
        except (SettingError, DataError, CannotKeep) as error:
            refusal = str(error)
        except RuntimeError as error:
            lack = shortage(error, None, "model")
        self._outbox.post(Answer(command.command, refusal))
        if lack is not None:
            self._recover(lack)

    def _reset(self, reset: Reset) -> None:
        """Begin anew; where there is no room for that, go on with what is there."""
        try:
            self._begin(reset.settings, reset)
        except RuntimeError as error:
            lack = shortage(error, None, "model")
        else:
            # What the training before left in the allocator's store is none of this one's.
            memory.release(self._device)
            return
        self._limit = memory.enforce(self._device, self._settings.budget)
        self._reports.out_of_memory(lack, reset.settings, self._settings)
        self._ask_what_fits(reset.settings, self._device)

    def _hand_over(self) -> None:
        """Put the training on the shelf and rest, until it is known whether another took over."""
        began = time.monotonic()
        self._keeper.keep(self._owed or self._training.snapshot(self._settings), began)
        self._talk.handing_over = True

    def _find(self) -> None:
        """Find the largest batch size; any other change calls that off."""
        self._talk.called_off = False
        found = lack = None
        here = self._training.snapshot(self._settings)
        try:
            found = Search(self._training, self._settings, self._outbox.post, self._talk.heed).run()
        except CalledOff:
            pass
        except RuntimeError as error:
            lack = shortage(error, None)
        finally:
            self._outbox.post(SearchEnded(found))
        if lack is not None:
            memory.release(self._device)
            self._return(here)
            raise SettingError(f"the search ran out of memory: {lack.detail}")

    def _compare(self, compare: Compare) -> None:
        """Train each of several settings from the start; any other change calls that off."""
        if self._owed is not None:
            raise SettingError("nothing is compared while the training itself has no room")
        here, fits, complete = self._training.snapshot(self._settings), self._fits, False
        comparison = Comparison(
            compare, self._training.dataset, self._device, self._outbox, self._talk.heed
        )
        self._talk.called_off = False
        self._training.leave()
        memory.release(self._device)
        try:
            comparison.run(self._limit)
            complete = True
        except CalledOff:
            pass
        finally:
            self._return(here)
            self._fits = self._fits and fits
            self._outbox.post(ComparisonEnded(complete))

    def _change(self, change: Change) -> None:
        """New settings from the next step on."""
        wanted = {
            field: value
            for field in Settings.__struct_fields__
            if (value := getattr(change, field, msgspec.UNSET)) is not msgspec.UNSET
        }
        new = msgspec.structs.replace(self._settings, **wanted)
        dataset = self._load(new.dataset)
        check(new, pixels=dataset.pixels, images=len(dataset.train))
        if self._owed is not None and not self._pay(self._owed, new):
            return
        if self._training.progress.steps == 0 and not self._fits:
            self._begin(new, self._goal)
            return
        if self._worked and self._fits:
            self._good = self._training.snapshot(self._settings)
        self._adopt(new)

    def _adopt(self, new: Settings) -> None:
        """Train on with other settings; parameters stay wherever the model stays the same."""
        old, self._settings = self._settings, new
        self._recovery = None
        self._fits, self._worked, self._retried = True, False, False
        self._limit = memory.enforce(self._device, new.budget)
        if self._training.kind != kind(new):
            self._training = Training(new, self._load(new.dataset), self._device)
            self._noise = NoiseSampler()
        elif new.optimizer != old.optimizer:
            self._training.use_optimizer(new.optimizer, new.rate)
        else:
            self._training.use_rate(new.rate)
        same = msgspec.structs.replace(
            old,
            batch_size=new.batch_size,
            accumulation=new.accumulation,
            learning_rate=new.learning_rate,
        )
        if same != new:
            self._evaluation.forget()
        self._schedule.unsettle(new.accumulation)
        self._noise.changed()
        self._reports.settings(new, self._described, self._training)

    # ---- ends and failures ------------------------------------------------------------------

    def _can_try_again(self, *, seen: bool) -> bool:
        """Whether the step that failed can be taken again, watched and from an empty cache.

        Once: it may fit then, where what the allocator kept was cut up for other sizes or nobody
        watched; and if it does not, it is known what did not.
        """
        if self._retried or not self._observe or (seen and self._device.type != "cuda"):
            return False
        good = self._good
        whole = not self._training.cut_short
        return whole or (good is not None and good.settings == self._settings)

    def _try_again(self, lack: Shortage) -> None:
        training = self._training
        self._retried = True
        self._reports.again(lack)
        training.drop_step()
        if self._device.type == "cuda" or training.cut_short:
            self._return(self._here())
        else:
            memory.release(self._device)
        self._schedule.unsettle(self._settings.accumulation)

    def _here(self) -> Snapshot:
        """The training as it was before the step that failed, if its update was not cut short."""
        if self._training.cut_short and self._good is not None:
            return self._good
        return self._training.snapshot(self._settings)

    def _recover(self, lack: Shortage) -> None:
        """Back to the last settings that worked; where there are none, wait for some that may."""
        failed, device, good = self._settings, self._device, self._good
        self._training.drop_step()
        # Whoever else is on the device may want it, and so may what comes back.
        memory.release(device)
        if good is not None and good.settings == failed:
            self._go_on(lack, self._here())
            return
        self._reports.out_of_memory(lack, failed, good.settings if good else None)
        self._fits = good is not None
        if good is not None:
            self._return(good)
        self._ask_what_fits(failed, device)

    def _go_on(self, lack: Shortage, here: Snapshot) -> None:
        """Settings that worked do not fit any more: another order may, or a smaller batch."""
        failed = self._settings
        self._recovery = self._recovery or Recovery(here)
        short = self._recovery.place(self._training, here, lack)
        if short is None:
            self._schedule.unsettle(failed.accumulation)
            return
        size = smaller(failed, self._training.dataset.data.shape, self._device)
        self._reports.out_of_memory(
            short, failed, with_batch(here, size).settings if size else None
        )
        if size:
            self._good = here = with_batch(here, size)
        self._return(here)
        self._fits = self._fits and size > 0
        self._ask_what_fits(failed, self._device)

    def _return(self, snapshot: Snapshot) -> None:
        """Be what the snapshot was; where there is no room for that any more, owe it.

        On a CUDA device all memory is freed before, so that what fits does not depend on where
        tensors lay.
        """
        settings, training = snapshot.settings, self._training
        self._owed = snapshot
        try:
            if training.kind != kind(settings):
                training.leave()
            elif self._device.type == "cuda":
                training.evict()
            memory.release(self._device)
            if settings != self._settings or training.kind is None:
                self._adopt(settings)
            self._training.restore(snapshot)
        except RuntimeError as error:
            lack = shortage(error, None, "model")
        else:
            self._owed = None
            return
        self._fits = False
        self._reports.out_of_memory(lack, settings, None)

    def _pay(self, owed: Snapshot, new: Settings) -> bool:
        """Return to what there was no room for, if there is now; not where the model changes."""
        if kind(new) != kind(owed.settings):
            self._owed = None
            return True
        settings = msgspec.structs.replace(new, optimizer=owed.settings.optimizer)
        self._return(replace(owed, settings=settings))
        return self._owed is None

    def _ask_what_fits(self, failed: Settings, device: torch.device) -> None:
        """Find out which size would have fitted, while the training goes on."""
        dataset = self._load(failed.dataset)
        most = len(dataset.train) // failed.accumulation
        self._hindsight = Hindsight(failed, dataset.data.shape, device, most)

    def _look_back(self) -> None:
        """Go on with that for a moment."""
        answer = self._hindsight.go_on() if self._hindsight else None
        if answer is not None:
            self._hindsight = None
            self._outbox.post(answer)

    @property
    def _reached(self) -> bool:
        """Whether the training has come to its goal."""
        goal, progress = self._goal, self._training.progress
        return (goal.steps is not None and progress.steps >= goal.steps) or (
            goal.images is not None and progress.images >= goal.images
        )

    def _finish(self) -> None:
        """The goal is reached; an epoch's end has just seen the test data by itself."""
        if self._goal.evaluate and not self._ended and not self._training.epoch_ended:
            self._evaluation.run(self._training, self._limit)
        self._end()

    def _end(self) -> None:
        """Say once that the training is over."""
        if not self._ended:
            self._ended = True
            progress = self._training.progress
            self._outbox.post(Ended(progress.steps, progress.images))
