"""The commands to the worker, and the settings that were asked for but are not in force yet."""

from __future__ import annotations

from typing import Any

import msgspec
from vramtop.protocol.commands import Advance, GiveBack, Pace, Pause, SlowMotion
from vramtop.protocol.lesson.commands import CallOff, Change, Compare, FindLargest, Reset, ShowImage
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import Answer, Flow

from .link import Link, Received, WorkerGone
from .sweep_plan import Plan


class Commands:
    """Numbers commands and sends them.

    A change starts from the settings asked for last, so that quick key presses add up.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._number = 0
        self._wanted: Settings | None = None  # until the latest change is answered
        self._asked = 0  # that change's number
        self._paused = self._slow = False
        self._resting = False  # paused by `rest`, not by a key

    def base(self, settings: Settings) -> Settings:
        """The settings that the next change starts from; `settings` are those in force."""
        return self._wanted or settings

    def change(self, settings: Settings, **values: Any) -> None:  # noqa: ANN401 - of each field's type
        """Ask for these values; the other settings stay as they are, or as asked for before."""
        self._asked = self._next()
        self._wanted = msgspec.structs.replace(self.base(settings), **values)
        self._link.send(Change(self._asked, **values))

    def pause(self) -> None:
        """Pause the training, or continue it."""
        self._paused = not self._paused
        self._link.send(Pause(self._next(), self._paused))

    def rest(self) -> None:
        """Pause the training while the monitor itself is suspended."""
        if not self._paused:
            self._resting = True
            self.pause()

    def wake(self) -> None:
        """Continue the training, unless a key had paused it before `rest`."""
        if self._resting:
            self._resting = False
            self.pause()

    def advance(self) -> None:
        """Run one phase, and pause after it."""
        self._paused = True
        self._link.send(Advance(self._next()))

    def slow(self) -> None:
        """Slow motion, or full speed again."""
        self._slow = not self._slow
        self._link.send(SlowMotion(self._next(), self._slow))

    def give_back(self) -> None:
        """Make the allocator return its cache to the driver."""
        self._link.send(GiveBack(self._next()))

    def show_image(self, index: int | None = None) -> None:
        """Ask for a training image; without an index, for the one after the last shown."""
        self._link.send(ShowImage(self._next(), index))

    def find_largest(self) -> None:
        """Find the largest batch size that fits."""
        self._link.send(FindLargest(self._next()))

    def restart(self, settings: Settings) -> None:
        """Begin the training again, with fresh weights and the settings asked for last."""
        self._link.send(Reset(self._next(), self.base(settings)))

    def compare(self, plan: Plan) -> None:
        """Train each of the plan's settings from fresh weights while the training waits."""
        images = plan.trials[0].images
        assert images is not None
        runs = tuple(trial.settings for trial in plan.trials)
        self._link.send(Compare(self._next(), runs, images))

    def move(self, device: str) -> None:
        """Continue the training on another device, such as `cuda:1`."""
        self._link.move(device)

    def call_off(self) -> None:
        """End the search or the comparison that runs."""
        self._link.send(CallOff(self._next()))

    def pace(self, seconds: float) -> None:
        """Let the worker send what is not urgent at most once in `seconds`."""
        self._link.send(Pace(self._next(), seconds))

    def hear(self, message: Received) -> None:
        """Take in a message: an answer to the latest change, or whether the training is paused."""
        match message:
            case Answer(command=command) if command == self._asked:
                self._wanted = None
            case WorkerGone():
                self._wanted = None  # nobody will answer
            case Flow():
                self._paused, self._slow = message.paused, message.slow
            case _:
                pass

    def _next(self) -> int:
        self._number += 1
        return self._number
