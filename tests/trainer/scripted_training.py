"""A `Recovery` with a scripted training, which fails on demand and logs each call."""

from __future__ import annotations

from typing import Any, cast

import torch
from vramtop.protocol.lesson.messages import WouldFit
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.split import Split
from vramtop.trainer.session.recovery import Recovery, State
from vramtop.trainer.training.out_of_memory import OutOfMemoryFacts
from vramtop.trainer.training.training import Progress, Snapshot

FACTS = OutOfMemoryFacts("forward", "mm", Split(), 2, 1, 4, 3, "out of memory")
SMALL, LARGE = Settings(batch_size=64), Settings(batch_size=4096)


class ScriptedSetup:
    """Replaces a `Setup`: logs each call and runs out of memory as scripted."""

    def __init__(self, settings: Settings = SMALL, *, on_cuda: bool = False) -> None:
        self.settings = settings
        self.on_cuda = on_cuda
        self.cut_short = False
        self.has_model = True
        self.steps = 0
        self.smaller = 0
        self.no_room: list[str] = []  # the next actions of these names fail, once each
        self.log: list[str] = []

    def _act(self, name: str, *given: object) -> None:
        self.log.append(" ".join(map(str, (name, *given))))
        if name in self.no_room:
            self.no_room.remove(name)
            raise torch.OutOfMemoryError("others took it")

    def snapshot(self) -> Snapshot:
        return Snapshot(self.settings, {}, {}, 1, 0, Progress(self.steps), made_at=8)

    def restore(self, snapshot: Snapshot) -> None:
        self._act("restore", snapshot.settings.batch_size)
        self.steps, self.cut_short = snapshot.progress.steps, False

    def place(self, snapshot: Snapshot, order: int) -> None:
        self._act("place", snapshot.settings.batch_size, order)

    def adopt(self, settings: Settings) -> None:
        self.settings, self.has_model = settings, True
        self._act("adopt", settings.batch_size)

    def has(self, settings: Settings) -> bool:
        return self.has_model and self.settings == settings

    def make_room(self, _: Settings) -> None:
        self._act("make_room")

    def drop_step(self) -> None:
        self._act("drop_step")

    def release(self) -> None:
        self._act("release")

    def unsettle(self) -> None:
        self._act("unsettle")

    def smaller_batch_size(self) -> int:
        return self.smaller

    def largest_fit_search(self, failed: Settings) -> ScriptedSearch:
        return ScriptedSearch(failed)


class ScriptedSearch:
    """Has its answer at the second call."""

    def __init__(self, failed: Settings) -> None:
        self._answers = [WouldFit(failed, 100, 32, None), None]

    def go_on(self) -> WouldFit | None:
        return self._answers.pop()


class Said:
    """Replaces the reports: keeps the batch sizes that failed and those that come back."""

    def __init__(self) -> None:
        self.retries = 0
        self.failures: list[tuple[int, int | None]] = []

    def retrying(self, _: OutOfMemoryFacts) -> None:
        self.retries += 1

    def out_of_memory(self, _: OutOfMemoryFacts, failed: Settings, back: Settings | None) -> None:
        self.failures.append((failed.batch_size, back and back.batch_size))


def made(
    settings: Settings = SMALL, *, on_cuda: bool = False, observe: bool = True
) -> tuple[Recovery, ScriptedSetup, Said]:
    setup, said = ScriptedSetup(settings, on_cuda=on_cuda), Said()
    recovery = Recovery(cast("Any", setup), cast("Any", said), observe=observe)
    return recovery, setup, said


def settled(**given: bool) -> tuple[Recovery, ScriptedSetup, Said]:
    """A recovery after two full steps."""
    recovery, setup, said = made(**given)
    for _ in range(2):
        setup.steps += 1
        recovery.step_ended(full=True)
    recovery.settled()
    return recovery, setup, said


def fail(recovery: Recovery, times: int = 1) -> None:
    """So many steps run out of memory; each but the first is a recorded retry."""
    for _ in range(times):
        recovery.step_failed(FACTS, recorded=recovery.state is not State.WORKING)
