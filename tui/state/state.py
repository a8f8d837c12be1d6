"""All that the screen knows, as facts. Pure: no clock, no widgets, no words."""

from __future__ import annotations

from typing import Literal

import msgspec
from vramtop.protocol.gpus import Gpu, GpusReport
from vramtop.protocol.messages import Device, DeviceMemory, Measured, Program, Sample
from vramtop.protocol.split import Category, Phase, Split
from vramtop.tui.gpus.whereabouts import Whereabouts, find

from . import moments
from .comparison import Line
from .history import History
from .lesson.facts import Lesson
from .moments import Spot
from .news import Entry, News
from .walk import Walk

# Of the worker; "none" where nothing is observed.
Life = Literal["none", "starting", "running", "ended", "failed", "gone"]


class HeldStep(msgspec.Struct, frozen=True):
    """The boundary at which a step is held, and the split there.

    Where a step goes through a phase several times, `part` says which of them it is, from 1. A step
    that is not `alike` has other inputs than the one that was measured.
    """

    phase: Phase
    split: Split
    part: int = 1
    alike: bool = True


class State(msgspec.Struct, frozen=True):
    """Everything on the screen comes from here.

    `pid` and `resident` (bytes) are the worker's, `gpus` what NVML said last, and `device_memory`
    what CUDA did. `measured` is the latest of the program as it is now, None until there is one,
    and `comparison` what it holds beside what the program expects, empty until the program is
    known. `cursor` is a place in the measured curve: that of the `walk` to the boundary, or where
    there is none, one that somebody chose. `chosen` is the category that one looks into. `full_bar`
    is the power of two, in bytes, that fills the split bar. `lesson` is what only the lesson's
    training has; None where the program is another.
    """

    life: Life = "starting"
    device: Device | None = None
    pid: int | None = None
    gpus: GpusReport | None = None
    device_memory: DeviceMemory | None = None
    program: Program | None = None
    sample: Sample | None = None
    measured: Measured | None = None
    comparison: tuple[Line, ...] = ()
    full_bar: int = 0
    held: HeldStep | None = None
    cursor: int | None = None
    walk: Walk | None = None
    history: History = History()
    log: tuple[Entry, ...] = ()
    paused: bool = False
    slow: bool = False
    news: News | None = None
    resident: int | None = None
    chosen: Category | None = None
    lesson: Lesson | None = None

    @property
    def gpu(self) -> Gpu | None:
        """The GPU that the program runs on, as NVML sees it; None where it does not."""
        return self.where.gpu if self.where else None

    @property
    def where(self) -> Whereabouts | None:
        """That GPU, and the instance of it where it is split."""
        return find(self.gpus.gpus if self.gpus else (), self.device, self.pid)

    @property
    def place(self) -> int | None:
        """Where one stands in the measured curve: at the cursor, or else where the step is held."""
        if self.cursor is not None or self.held is None:
            return self.cursor
        held = self.held
        found = moments.boundary(self.measured, held.phase, held.split, held.part)
        return found if held.alike else None

    @property
    def seen(self) -> Spot | HeldStep | None:
        """The moment that is shown: the cursor's, or the boundary; None if it is the peak."""
        if self.cursor is None or self.measured is None:
            return self.held
        return moments.spot(self.measured.anatomy, self.cursor)

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.life in ("failed", "gone")
