"""What the observer of a program says, as the messages that the screen shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil
from msgspec.structs import replace
from vramtop.accounting.program.consistency import NoReport
from vramtop.accounting.program.report import report
from vramtop.protocol.messages import (
    VERSION,
    Device,
    Hello,
    Measured,
    Note,
    OutOfMemory,
    Program,
    Sample,
)
from vramtop.protocol.observed import record
from vramtop.protocol.observed.autopsy import Autopsy
from vramtop.protocol.observed.driver import DriverSum
from vramtop.protocol.observed.record import FromObserver, Progress, WatchedStep
from vramtop.protocol.observed.report import Growth, StepReport
from vramtop.protocol.observed.shapes import NewPeak, Shapes
from vramtop.protocol.split import Category, Split
from vramtop.tui.words import autopsy as words
from vramtop.tui.words import shapes
from vramtop.tui.words.growth import grows, whose
from vramtop.tui.worker.link import DriverSaid, Modules, Received, ShapesSeen, Watched

from .expected import Expected, differences, expected, notes
from .measured import measured
from .programs import Program as Known


class _Latest(NamedTuple):
    """A watched step, its report, and what one expects of it."""

    step: WatchedStep
    report: StepReport
    found: dict[Category, Expected]

    def measured(self) -> Measured:
        known = [facts.name for facts in self.report.tensors["other"] if facts.name]
        return measured(self.step, self.report, differences(self.found, self.report, known))


class Shown:
    """One program on the screen: one of its devices, at first the one recorded first, and one kind.

    Training is shown where the program trains. Inference is shown once it comes twice in a row:
    before, it may be an evaluation between two steps.
    """

    def __init__(self, program: Known, *, started: bool) -> None:
        self.observed = observed = program.observed
        self._names, self._seen_steps, self._driver = program.names, program.seen, program.driver
        self._peak: NewPeak | None = None  # the latest on the device that is shown
        self._watched = Watched(
            program=observed.program,
            pid=observed.pid,
            rank=observed.rank,
            world_size=observed.world_size,
            started=started,
        )
        self._program: Program | None = None
        self._kind: record.Kind | None = None  # of the latest step
        self._steps, self._greeted = 0, False
        self._step_seconds: float | None = None
        self._noted: set[str] = set()
        self._told: set[tuple[Category, bool]] = set()
        self._latest: _Latest | None = None
        self._sum: DriverSum | None = None

    def begin(self) -> Iterator[Received]:
        """The messages that the program's greeting makes; its latest steps come anew after them."""
        self._program = self._kind = self._latest = self._peak = self._sum = None
        yield self._watched
        yield from self._once(f"watching {self.name}, Python {self.observed.python}")

    def next_device(self) -> bool:
        """Show the next device, before a new beginning; False where the first one comes again."""
        devices = self._watched.devices
        if not devices:
            return False
        at = (devices.index(self._watched.device) + 1) % len(devices)
        self._watched = replace(self._watched, device=devices[at])
        return at > 0

    @property
    def several_devices(self) -> bool:
        """Whether the program was recorded on more than one device."""
        return len(self._watched.devices) > 1

    @property
    def unasked(self) -> tuple[str, tuple[int, ...]]:
        """The device, and addresses of blocks in no category whose holders were not asked for."""
        device = self._watched.device
        if self._latest is None:
            return device, ()
        return device, self._names.unasked(device, self._latest.report, all_=True)

    @property
    def name(self) -> str:
        """The program with its pid and its rank: `train.py (pid 4711, rank 0 of 2)`."""
        rank = self.observed.rank
        ranked = f", rank {rank} of {self.observed.world_size}" if rank is not None else ""
        return f"{self.observed.program} (pid {self.observed.pid}{ranked})"

    def messages(self, said: FromObserver) -> Iterator[Received]:
        """The messages that this one makes for the screen."""
        match said:
            case WatchedStep():
                yield from self._step(said)
            case Progress():
                yield from self._progress(said)
            case record.Holders():
                if self._latest is not None and said.device == self._watched.device:
                    yield from self._step(self._latest.step)
            case record.Missing():
                yield from self._missing(said.reason)
            case record.OutOfMemory():
                if said.steps is not None:
                    yield self._sample(said.steps)
                seen = self._seen_steps.of(said.device)
                yield from _out_of_memory(said.device, self._seen_steps.autopsy(said), seen)
            case _:
                pass

    def _driver_said(self) -> Iterator[Received]:
        """The driver's figure as a sum, which a step gives, or what the driver said since."""
        found = self._driver.sum(self._latest.step, self._latest.report) if self._latest else None
        if found != self._sum:
            self._sum = found
            yield DriverSaid(found)

    def _progress(self, said: Progress) -> Iterator[Received]:
        yield from self._driver_said()
        yield from self._now(
            replace(
                self._watched,
                uncounted=said.watched if said.steps is None else None,
                seconds=said.seconds,
                spent=said.watching_seconds,
            )
        )
        self._steps = said.watched if said.steps is None else said.steps
        if self._latest is not None and self._seen_steps.rises(self._watched.device):
            step, reported, _ = self._latest
            yield from self._growing(self._seen_steps.growth(step, reported))
        self._step_seconds = said.step_seconds
        yield self._sample(self._steps)

    def _sample(self, steps: int) -> Sample:
        """So many steps have passed."""
        return Sample(
            step=steps,
            phase="zero_grad",
            step_seconds=self._step_seconds,
            resident=_resident(self.observed.pid),
        )

    def _step(self, step: WatchedStep) -> Iterator[Received]:
        yield from self._now(self._on(step.device))
        if step.device != self._watched.device:
            yield from self._once(
                f"the program works on {step.device} too: n shows the next device"
            )
            return
        yield from self._seen()
        before, self._kind = self._kind, step.kind
        if step.kind == "inference" and before == "training":
            return
        names = self._names.of(step.device)
        try:
            reported = report(step, self._steps, names, predicting=False)
        except NoReport as reason:
            yield from self._missing(str(reason))
            return
        known = replace(self._watched, kind=step.kind, inputs=step.inputs, trouble="")
        yield from self._now(known)
        found = expected(step, reported)
        device = _device(step)
        program = Program(
            name=self.observed.program,
            device=device,
            expected=tuple(each.expectation for each in found.values()),
        )
        if program != self._program:
            if not self._greeted:
                self._greeted = True
                yield Hello(VERSION, self.observed.pid, self.observed.torch, device)
            self._program = program
            yield program
        yield Modules(reported.layers, reported.lines, notes(step, reported))
        yield from self._growing(self._seen_steps.growth(step, reported))
        self._latest = _Latest(step, reported, found)
        yield self._latest.measured()
        yield from self._driver_said()

    def _seen(self) -> Iterator[Received]:
        """The shapes so far; a new peak has a line where another shape had the one before."""
        seen = self._seen_steps.of(self._watched.device)
        before, self._peak = self._peak, seen.peaks[-1] if seen.peaks else None
        if self._peak and before and not self._peak.alike(before):
            yield Note(shapes.new_peak(self._peak))
        yield ShapesSeen(seen, self._seen_steps.room(self._watched.device))

    def _growing(self, growth: Growth | None) -> Iterator[Received]:
        """What grows from step to step: a line once, and another once its holders are known."""
        if growth is None:
            return
        # What grows by its levels alone turns out to be that later.
        category = growth.category or "other"
        if (category, bool(growth.held)) in self._told:
            return
        self._told |= {(category, False), (category, bool(growth.held))}
        yield Note("; ".join(filter(None, (grows(growth), whose(growth)))))

    def _on(self, device: str) -> Watched:
        """The program, which works on this device too."""
        devices = tuple(sorted({*self._watched.devices, device}))
        return replace(self._watched, device=self._watched.device or device, devices=devices)

    def _missing(self, reason: str) -> Iterator[Received]:
        yield from self._now(replace(self._watched, trouble=reason))
        yield from self._once(f"a step could not be recorded: {reason}")

    def _now(self, watched: Watched) -> Iterator[Received]:
        if watched != self._watched:
            self._watched = watched
            yield watched

    def _once(self, text: str) -> Iterator[Received]:
        if text not in self._noted:
            self._noted.add(text)
            yield Note(text)


def _device(step: WatchedStep) -> Device:
    hardware = step.hardware
    if hardware is not None:
        return Device(step.device, hardware.name, hardware.total_bytes, hardware.uuid or None)
    return Device(step.device, _processor(), psutil.virtual_memory().total)


def _processor() -> str:
    """The processor's model name."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return "CPU"


def _resident(pid: int) -> int | None:
    """The memory of a process on this machine, in bytes; None where nobody may know."""
    with suppress(psutil.Error):
        size: int = psutil.Process(pid).memory_info().rss
        return size
    return None


def _out_of_memory(device: str, found: Autopsy, seen: Shapes) -> Iterator[Received]:
    """What the status line says of it, and then the log."""
    details = (f"out of memory on {device}", words.times(found), words.moment(found))
    yield OutOfMemory(
        phase=found.phase,
        operator=words.place(found),
        split=Split(),
        detail=", ".join(filter(None, details)),
        wanted=found.wanted,
        free=found.free,
    )
    yield Note(words.held_line(found))
    for line in (words.others_line(found), words.larger_line(found, seen)):
        if line:
            yield Note(line)
    for each in found.suggestions[:1]:
        yield Note(f"suggestion: {words.suggestion(found, each)}")
