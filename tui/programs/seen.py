"""What the watched steps of a program have shown so far, by device: shapes, room, growth."""

from __future__ import annotations

from collections.abc import Mapping

import psutil
from vramtop.accounting.program.autopsy import autopsy
from vramtop.accounting.program.consistency import NoReport
from vramtop.accounting.program.growth import Growing
from vramtop.accounting.program.report import report
from vramtop.accounting.program.room import RoomEstimate
from vramtop.accounting.program.shapes import Seen, seen
from vramtop.protocol.observed.autopsy import Autopsy, Other
from vramtop.protocol.observed.record import OutOfMemory, Progress, WatchedStep
from vramtop.protocol.observed.report import Growth, StepReport
from vramtop.protocol.observed.shapes import Room, Shapes
from vramtop.tui.gpus.vacancy import processes_on


class SeenSteps:
    """Takes in each watched step; whole it keeps only the one with the highest peak."""

    def __init__(self) -> None:
        self._seen: dict[str, Seen] = {}
        self._rooms: dict[str, RoomEstimate] = {}
        self._growing: dict[str, Growing] = {}
        self._others: dict[str, tuple[Other, ...]] = {}  # at the latest out of memory
        self._available: dict[str, int] = {}  # at the latest step of training

    def of(self, device: str) -> Shapes:
        """The shapes of the steps on this device."""
        return self._seen.get(device, Seen()).shapes

    def room(self, device: str) -> Room | None:
        """By how much the batch could grow there; None where that is not known."""
        return self._rooms[device].room if device in self._rooms else None

    def growth(self, step: WatchedStep, reported: StepReport) -> Growth | None:
        """What grows from step to step on the device of this one, the latest, as reported."""
        growing = self._growing.get(step.device)
        return growing.growth(step, reported) if growing else None

    def hear(self, progress: Progress) -> None:
        """Take in the levels after the steps that were not watched."""
        for level in progress.levels:
            self._growing.setdefault(level.device, Growing()).hear(level)

    def rises(self, device: str) -> bool:
        """Whether there is ever more memory given out on this device, by its levels."""
        return device in self._growing and self._growing[device].rises

    async def look_around(self, denied: OutOfMemory, pid: int) -> None:
        """Ask NVML which other processes are on the GPU on which process `pid` ran out of memory.

        Where NVML does not list that process though it is there, it has other numbers for all.
        """
        found = await processes_on(f"GPU-{denied.uuid}") if denied.uuid else None
        if found is None or (psutil.pid_exists(pid) and pid not in {each.pid for each in found}):
            self._others.pop(denied.device, None)
            return
        others = [
            Other(each.pid, each.command or "", each.used) for each in found if each.pid != pid
        ]
        self._others[denied.device] = tuple(sorted(others, key=lambda each: -(each.bytes or 0)))

    def autopsy(self, denied: OutOfMemory) -> Autopsy:
        """What is known of an out of memory, with who else was on the GPU."""
        return autopsy(denied, self._others.get(denied.device))

    def add(self, step: WatchedStep, steps: int | None, free: Mapping[str, int]) -> None:
        """Take in a step; `free` are the bytes that nobody holds on each GPU, by NVML's UUID.

        `steps` have passed in the program, None where nobody counts them.
        A record that contradicts itself is left out.
        """
        try:
            reported = report(step, steps or 0, predicting=False)
        except NoReport:
            return
        self._growing.setdefault(step.device, Growing()).add(reported)
        before = self._seen.get(step.device, Seen())
        self._seen[step.device] = seen(before, reported, step.seconds, steps)
        if step.kind == "training":
            self._estimate(step, reported.peak.bytes, free)

    def _estimate(self, step: WatchedStep, peak: int, free: Mapping[str, int]) -> None:
        """Estimate the room, from the second step on.

        A program that has ended by the time when NVML is asked holds nothing any more. So the
        lesser of two steps' figures counts.
        """
        now = _available(step, free)
        before = self._available.pop(step.device, None)
        if now is not None:
            self._available[step.device] = now
        available = None if now is None or before is None else min(before, now)
        estimate = self._rooms.setdefault(step.device, RoomEstimate())
        estimate.add(step, peak, available)


def _available(step: WatchedStep, free: Mapping[str, int]) -> int | None:
    """What the program's allocator could have: what it has, and what nobody has."""
    reserved = step.marks[-1].reserved
    unused = free.get(f"GPU-{step.hardware.uuid}") if step.hardware is not None else None
    return None if reserved is None or unused is None else reserved + unused
