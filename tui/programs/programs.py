"""What the observers of programs have said so far, and the reports that follow from it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from vramtop.accounting.program.consistency import NoReport
from vramtop.accounting.program.driver import Asked, DriverFigures
from vramtop.accounting.program.report import report
from vramtop.protocol.observed.program import KindReport, ProgramReport
from vramtop.protocol.observed.record import (
    Ended,
    FromObserver,
    Holders,
    Kind,
    Missing,
    Observed,
    OutOfMemory,
    Progress,
    Removed,
    WatchedStep,
)
from vramtop.protocol.observed.report import Growth, StepReport
from vramtop.tui.gpus.vacancy import holdings

from .names import Names
from .seen import SeenSteps
from .viewer import CannotView, Viewer

_KINDS: tuple[Kind, ...] = ("training", "inference")
_NO_PROGRESS = Progress(
    steps=None, watched=0, step_seconds=None, seconds=0.0, watching_seconds=0.0
)  # fmt: skip


@dataclass
class Program:
    """A process that is observed, by what its observer said.

    `latest` is the latest watched step of each device and kind. `seen` knows those before it, and
    `driver` what the driver says of the process, if it is let learn from each message.
    `out_of_memory` is the latest of each device. `trouble` is the latest reason
    why a step could not be watched, or why the observer has `removed` itself. `lost` tells that the
    connection was closed without a word, as when a program is killed.
    """

    observed: Observed
    progress: Progress = _NO_PROGRESS
    latest: dict[tuple[str, Kind], WatchedStep] = field(default_factory=dict)
    out_of_memory: dict[str, OutOfMemory] = field(default_factory=dict)
    names: Names = field(default_factory=Names)
    seen: SeenSteps = field(default_factory=SeenSteps)
    driver: DriverFigures = field(default_factory=DriverFigures)
    trouble: str = ""
    removed: bool = False
    ended: bool = False
    lost: bool = False

    def add(self, message: FromObserver) -> None:
        """Take one message in."""
        match message:
            case WatchedStep():
                self.latest[message.device, message.kind] = message
                self.names.keep(message.device, dict(message.blocks))
            case Holders():
                self.names.add(message)
            case Progress():
                self.progress = message
                self.driver.hear(message)
                self.seen.hear(message)
            case OutOfMemory():
                self.out_of_memory[message.device] = message
            case Missing() | Removed():
                self.trouble = message.reason
                self.removed = isinstance(message, Removed)
            case Ended():
                self.ended = True
            case _:
                pass

    async def learn(self, message: FromObserver) -> None:
        """Learn from a message that was taken in, without holding up the event loop.

        NVML is asked what is free, and what the process holds.
        """
        match message:
            case Progress() if self.driver.unknown(message):
                await self._ask_driver({each.device: each.uuid for each in message.pools})
            case WatchedStep():
                uuid = message.hardware.uuid if message.hardware is not None else ""
                free = await self._ask_driver({message.device: uuid}) if uuid else {}
                await asyncio.to_thread(self.seen.add, message, self.progress.steps, free)
            case OutOfMemory():
                await self.seen.look_around(message, self.observed.pid)
            case _:
                pass

    async def _ask_driver(self, uuids: Mapping[str, str]) -> dict[str, int]:
        """Ask NVML about these devices, and return the bytes free on each GPU by its UUID."""
        begun = time.monotonic()
        found = await holdings()
        ended = time.monotonic()
        for device, uuid in uuids.items():
            on_device = found.get(f"GPU-{uuid}")
            held = on_device.held.get(self.observed.pid) if on_device is not None else None
            if held is not None:
                self.driver.ask(device, Asked(held, begun, ended))
        return {uuid: each.free for uuid, each in found.items()}

    @property
    def name(self) -> str:
        """The program with its rank, if it has one: `train.py, rank 3`."""
        rank = self.observed.rank
        return self.observed.program + (f", rank {rank}" if rank is not None else "")

    @property
    def why_nothing(self) -> str:
        """Why no step was watched, in one line."""
        if self.trouble:
            return f"{self.name}: no step could be watched: {self.trouble}"
        if self.ended:
            return f"{self.name} ended before a step of it was watched{self.too_short}"
        if self.lost:
            return f"{self.name} was killed, or hung up, before a step of it was watched"
        return f"{self.name}: no step was watched yet"

    @property
    def too_short(self) -> str:
        """Why a program that has ended was too short to be watched; empty where it was not.

        A step is recorded from its beginning, which for one that is entered in its midst is the end
        of the step before.
        """
        steps = self.progress.steps
        if steps is None:
            return ": it made no step, and no call without gradients, from beginning to end"
        least = 1 if self.observed.since_start else 2
        return ": it made no step from beginning to end" if steps < least else ""

    @property
    def watched(self) -> int:
        """How many steps were watched; the latest may be newer than the latest progress."""
        numbers = (step.number for step in self.latest.values())
        return max(self.progress.watched, *numbers, 0)

    def reports(self) -> list[ProgramReport]:
        """A report for each device of which anything is known."""
        devices = {device for device, _ in self.latest} | {*self.out_of_memory}
        return [self.report(device) for device in sorted(devices)]

    def report(self, device: str) -> ProgramReport:
        """The report of this device."""
        found = [self._step(device, kind, predicting=True) for kind in _KINDS]
        steps = [each for each in found if each is not None]
        who, denied = self.observed, self.out_of_memory.get(device)
        return ProgramReport(
            pid=who.pid,
            rank=who.rank,
            world_size=who.world_size,
            local_rank=who.local_rank,
            host=who.host,
            program=who.program,
            device=device,
            torch=who.torch,
            python=who.python,
            steps=self.progress.steps,
            watched=self.watched,
            step_seconds=self.progress.step_seconds,
            seconds=self.progress.seconds,
            watching_seconds=self.progress.watching_seconds,
            watching_share=self.progress.watching_seconds / (self.progress.seconds or 1.0),
            phases=steps[0].phases if steps else (),
            kinds=tuple(self._kind(device, step) for step in steps),
            layers=steps[0].layers if steps else (),
            lines=steps[0].lines if steps else (),
            other=steps[0].other if steps else (),
            what_if=steps[0].what_if if steps else (),
            out_of_memory=self.seen.autopsy(denied) if denied is not None else None,
            shapes=self.seen.of(device),
            room=self.seen.room(device),
            growth=self.growth(device, steps[0]) if steps else None,
            driver=self.driver.sum(self.latest[device, steps[0].kind], steps[0]) if steps else None,
        )

    def growth(self, device: str, step: StepReport) -> Growth | None:
        """What grows from step to step there, by the report of the latest of the first kind."""
        return self.seen.growth(self.latest[device, step.kind], step)

    def unasked(self, device: str) -> tuple[int, ...]:
        """The blocks of which the program is to be asked who holds them."""
        step = self._first_step(device)
        if step is None:
            return ()
        return self.names.unasked(device, step, all_=self.growth(device, step) is not None)

    def grows_unheld(self, device: str) -> bool:
        """Whether its levels rise there, and nobody is known yet who holds what grows."""
        step = self._first_step(device) if self.seen.rises(device) else None
        growth = self.growth(device, step) if step is not None else None
        return growth is not None and not growth.held

    def ask(self, viewer: Viewer, device: str, addresses: tuple[int, ...]) -> None:
        """Ask it who holds the memory at these addresses, if there are any."""
        if addresses and not self.names.waiting:
            self.names.waiting = True
            viewer.ask_who(device, addresses)

    def _first_step(self, device: str) -> StepReport | None:
        """The report of the latest step of the first kind that there is."""
        steps = (self._step(device, kind) for kind in _KINDS)
        return next((step for step in steps if step is not None), None)

    def _step(self, device: str, kind: Kind, *, predicting: bool = False) -> StepReport | None:
        step = self.latest.get((device, kind))
        if step is None:
            return None
        try:
            names, steps = self.names.of(device), self.progress.steps or 0
            return report(step, steps, names, predicting=predicting)
        except NoReport as reason:
            self.trouble = str(reason)
            return None

    def _kind(self, device: str, step: StepReport) -> KindReport:
        return KindReport(
            kind=step.kind,
            inputs=step.inputs,
            steps=self.progress.steps if step.kind == "training" else None,
            seconds=self.latest[device, step.kind].seconds,
            boundaries=step.boundaries,
            high_water=step.high_water,
            peak=step.peak,
            allocator=step.allocator,
            unattributed=step.unattributed,
        )


async def follow(
    viewer: Viewer, program: Program, heard: Callable[[Program, FromObserver], None]
) -> None:
    """Watch a program to its end. `heard` is called after each message was taken in.

    Now and then the program is asked who holds what is in *other*, and as soon as that grows.
    """
    viewer.watch()
    look_at = 1
    asked: set[str] = set()
    try:
        async for message in viewer.messages():
            program.add(message)
            await program.learn(message)
            if isinstance(message, WatchedStep) and message.number >= look_at:
                look_at = 2 * message.number
                unasked = await asyncio.to_thread(program.unasked, message.device)
                program.ask(viewer, message.device, unasked)
            await ask_of_growth(viewer, program, message, asked)
            heard(program, message)
        program.lost = not (program.ended or program.removed)
    except CannotView as reason:
        program.trouble = str(reason)
    finally:
        await viewer.close()


async def ask_of_growth(
    viewer: Viewer, program: Program, message: FromObserver, asked: set[str]
) -> None:
    """After a message was taken in, ask the program who holds what grows, as soon as it does.

    `asked` are the devices on which something has begun to grow.
    """
    match message:
        case WatchedStep() if await asyncio.to_thread(program.grows_unheld, message.device):
            devices = {message.device}
        case Progress() if not program.names.waiting:
            rising = {each.device for each in message.levels if program.seen.rises(each.device)}
            devices = rising - asked
            asked |= devices
        case _:
            return
    for device in devices:
        unasked = await asyncio.to_thread(program.unasked, device)
        program.ask(viewer, device, unasked)


def reports(programs: Iterable[Program]) -> list[ProgramReport]:
    """The reports of all programs: by rank where they have one, else as they came."""
    ranked = sorted(programs, key=lambda each: each.observed.rank or 0)
    return [report for program in ranked for report in program.reports()]
