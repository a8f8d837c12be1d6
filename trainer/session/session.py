"""The loop of a session: obey the commands that have come, then take a step."""

from __future__ import annotations

import queue
from collections.abc import Callable

import msgspec
import torch
from vramtop.observer.accounts import unaccounted
from vramtop.protocol.commands import GiveBack
from vramtop.protocol.lesson.commands import (
    Change,
    Compare,
    FindLargest,
    HandOver,
    Reset,
    ShowImage,
    Start,
)
from vramtop.protocol.lesson.messages import ComparisonEnded, LessonEnded, SearchEnded
from vramtop.protocol.lesson.settings import DatasetName, SettingError, Settings
from vramtop.protocol.lesson.shelf import Shelf
from vramtop.protocol.messages import Answer, Device
from vramtop.protocol.wire.framing import ToWorker
from vramtop.trainer.data.datasets import DataError, Dataset
from vramtop.trainer.data.pictures import Gallery
from vramtop.trainer.device import memory
from vramtop.trainer.device.devices import describe
from vramtop.trainer.fitting.fake_tensors import FakeTensors
from vramtop.trainer.fitting.search import Search
from vramtop.trainer.training.out_of_memory import out_of_memory_facts
from vramtop.trainer.training.training import Progress, Snapshot

from .comparison import Comparison
from .conversation import CalledOff, Conversation, StopSession, Waiting
from .outbox import Outbox
from .recovery import Recovery
from .reports import Reports
from .setup import Setup
from .snapshots import CannotKeep, Keeper
from .steps import Steps


class Session:
    """Trains until told to stop.

    `load` gives the dataset of a name and may raise `DataError`. Commands come from the `inbox`;
    None ends the session. Snapshots go to the `shelf`. `described` is the device's description; if
    it is missing, the session makes one. The session belongs to one thread, which makes it and
    calls `run`. Raises `SettingError` or `DataError` where it cannot begin, and `CannotKeep` where
    there is no snapshot to resume from.
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
        # A prediction of a larger batch helps only where a user can change the batch size.
        predicts = start.observe and not start.every_step
        self._fake_tensors = FakeTensors(device) if predicts else None
        self._reports = Reports(outbox, every_step=start.every_step)
        self._gallery = Gallery()
        self._keeper = Keeper(shelf)
        self._begin(start.settings, start, self._keeper.latest() if start.resume else None)
        if reason := unaccounted(device):
            self._reports.note(f"the allocator's figures are N/A: {reason}")

    @property
    def progress(self) -> Progress:
        """How far the training has come."""
        return self._setup.training.progress

    def run(self) -> None:
        """Train and obey commands until `Stop`, or until the inbox gives None."""
        try:
            while True:
                self._obey()
                self._steps.take(self._images_left)
                self._search_on()
        except StopSession:
            self._end()

    def _begin(
        self, settings: Settings, goal: Start | Reset, snapshot: Snapshot | None = None
    ) -> None:
        """Begin a training, from a snapshot if there is one, that goes as far as `goal` says.

        The previous training stays intact until the new one is allocated.
        """
        self._setup = Setup(
            settings,
            self._device,
            self._load,
            self._reports,
            described=self._described,
            snapshot=snapshot,
            observe=self._observe,
        )
        self._recovery = Recovery(self._setup, self._reports, observe=self._observe)
        self._steps = Steps(
            self._setup,
            self._recovery,
            self._reports,
            self._talk,
            self._keeper,
            fake_tensors=self._fake_tensors,
        )
        self._goal = goal
        self._ended = False

    def _search_on(self) -> None:
        """Spend a moment on finding out which batch size would have fitted."""
        answer = self._recovery.search_on()
        if answer is not None:
            self._outbox.post(answer)

    # ---- commands ---------------------------------------------------------------------------

    def _obey(self) -> None:
        """Take the commands that have come, and wait for more while no step can be taken."""
        talk = self._talk
        while True:
            talk.listen()
            while talk.changes and not talk.handing_over:
                self._take(talk.changes.popleft())
            if self._reached:
                self._finish()
            elif not self._recovery.waiting and talk.may_go():
                return
            while self._recovery.searching and talk.silent:
                self._search_on()
            if talk.paused and not self._ended:
                self._reports.rest(self._setup.training)
            talk.wait()

    def _aside(self, command: GiveBack | ShowImage) -> None:
        """Give the cache back or show an image; neither touches the training."""
        if isinstance(command, GiveBack):
            self._reports.gave_back(memory.release(self._device))
            return
        refusal = None
        try:
            self._outbox.post(self._gallery.show(self._setup.training.dataset, command.index))
        except SettingError as error:
            refusal = str(error)
        self._outbox.post(Answer(command.command, refusal))

    def _take(self, command: Waiting) -> None:
        """Obey a command about the settings; where that is refused, nothing changes."""
        facts, refusal = None, None
        try:
            match command:
                case Change():
                    self._change(command)
                case Reset():
                    self._reset(command)
                case FindLargest():
                    self._find()
                case Compare():
                    self._compare(command)
                case HandOver():
                    self._hand_over()
        except (SettingError, DataError, CannotKeep) as error:
            refusal = str(error)
        except RuntimeError as error:
            facts = out_of_memory_facts(error, None, "model")
        self._outbox.post(Answer(command.command, refusal))
        if facts is not None:
            self._recovery.recover(facts)

    def _change(self, change: Change) -> None:
        """Train with new settings from the next step on."""
        wanted = {
            field: value
            for field in Settings.__struct_fields__
            if (value := getattr(change, field, msgspec.UNSET)) is not msgspec.UNSET
        }
        new = msgspec.structs.replace(self._setup.settings, **wanted)
        self._setup.check(new)
        if not self._recovery.restore_pending(new):
            return
        if self._recovery.waiting and self.progress.steps == 0:
            self._begin(new, self._goal)
        else:
            self._recovery.change(new)

    def _reset(self, reset: Reset) -> None:
        """Begin a new training; where it has no room, go on with the present one."""
        try:
            self._begin(reset.settings, reset)
        except RuntimeError as error:
            facts = out_of_memory_facts(error, None, "model")
        else:
            # The allocator still caches the memory of the previous training.
            memory.release(self._device)
            return
        self._setup.enforce_budget()
        self._reports.out_of_memory(facts, reset.settings, self._setup.settings)
        self._recovery.search_largest_fit(reset.settings)

    def _hand_over(self) -> None:
        """Put the training on the shelf and rest, until another process takes over or fails to."""
        self._keeper.keep(lambda: self._recovery.pending_restore or self._setup.snapshot())
        self._talk.handing_over = True

    def _find(self) -> None:
        """Find the largest batch size; another command about the settings calls the search off."""
        self._recovery.require_room("searched")
        self._talk.called_off = False
        setup, found, facts = self._setup, None, None
        here = setup.snapshot()
        try:
            found = Search(setup.training, setup.settings, self._outbox.post, self._talk.heed).run()
        except CalledOff:
            pass
        except RuntimeError as error:
            facts = out_of_memory_facts(error, None)
        finally:
            self._outbox.post(SearchEnded(found))
        if facts is not None:
            setup.release()
            self._recovery.return_to(here)
            raise SettingError(f"the search ran out of memory: {facts.detail}")

    def _compare(self, compare: Compare) -> None:
        """Compare settings; another command about the settings calls the comparison off."""
        setup, recovery, complete = self._setup, self._recovery, False
        recovery.require_room("compared")
        here = setup.snapshot()
        comparison = Comparison(
            compare, setup.training.dataset, self._device, self._outbox, self._talk.heed
        )
        self._talk.called_off = False
        setup.training.leave()
        setup.release()
        try:
            comparison.run(setup.limit)
            complete = True
        except CalledOff:
            pass
        finally:
            recovery.resume(here)
            self._outbox.post(ComparisonEnded(complete))

    # ---- the end ----------------------------------------------------------------------------

    @property
    def _images_left(self) -> int | None:
        """How many images are left until the goal; None where it does not count images."""
        return None if self._goal.images is None else self._goal.images - self.progress.images

    @property
    def _reached(self) -> bool:
        """Whether the training has come to its goal."""
        left = self._images_left
        steps_taken = self._goal.steps is not None and self.progress.steps >= self._goal.steps
        return steps_taken or (left is not None and left <= 0)

    def _finish(self) -> None:
        """End at the goal, with an evaluation unless an epoch's end has just brought one."""
        if self._goal.evaluate and not self._ended and not self._setup.training.epoch_ended:
            self._setup.evaluate()
        self._end()

    def _end(self) -> None:
        """Report once that the training has ended."""
        if not self._ended:
            self._ended = True
            self._outbox.post(LessonEnded(self.progress.steps, self.progress.images))
