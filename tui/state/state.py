"""All facts that the screens show. Pure: no clock, no widgets, no words."""

from __future__ import annotations

from typing import Literal

import msgspec
from vramtop.protocol.gpus import Gpu, GpusReport
from vramtop.protocol.messages import Device, DeviceMemory, Measured, Program, Sample
from vramtop.protocol.observed.driver import DriverSum
from vramtop.protocol.split import ALL_CATEGORIES, CATEGORIES, Category, Phase, Split
from vramtop.tui.gpus.whereabouts import Whereabouts, find
from vramtop.tui.worker.link import Entering, Modules, ShapesSeen, Watched

from . import moments
from .categories import CategoryFacts
from .gpu_history import GpuHistory, HeldGpus
from .history import History
from .lesson.facts import Lesson
from .listing import Listing
from .moments import Spot
from .news import LogEntry, News
from .processes import ProcessView
from .walk import Walk

# The worker's life; "none" where there is no worker.
Life = Literal["none", "starting", "running", "ended", "failed", "gone"]


class HeldStep(msgspec.Struct, frozen=True):
    """The boundary at which a step is held, and the split there.

    Where a step goes through a phase several times, `part` says which of these times, from 1.
    `alike` tells that the step has the same shapes of inputs as the one that was measured.
    """

    phase: Phase
    split: Split
    part: int = 1
    alike: bool = True


class State(msgspec.Struct, frozen=True):
    """Everything on the screen comes from here.

    - `pid` and `resident` (bytes) are the worker's.
    - `gpus` is what NVML said last, `device_memory` what CUDA said last.
    - `measured` is the latest measured step of the program as it is now.
    - `categories` compares it with what the program expects; empty until the program is known.
    - `full_bar` is the power of two, in bytes, that fills the split bar.
    - `cursor` is a place in the measured curve, put there by a `walk` or else by somebody.
    - `chosen` is the category whose tensors are listed.
    - `lesson` is what only the lesson's training has; None for another program.
    - `watched`, `modules`, `shapes` and `driver` are what only a watched program has; None for the
      lesson. `listing` is how its modules and lines are listed.
    - `inside` is the process that is looked into from the GPUs, from the key on.
    - `gpu_history` is what the GPUs were like over the last hour, `process_view` how the processes
      on them are listed. While `held_gpus` are there, the screen shows those.
    """

    life: Life = "starting"
    device: Device | None = None
    pid: int | None = None
    gpus: GpusReport | None = None
    device_memory: DeviceMemory | None = None
    program: Program | None = None
    sample: Sample | None = None
    measured: Measured | None = None
    categories: tuple[CategoryFacts, ...] = ()
    full_bar: int = 0
    held: HeldStep | None = None
    cursor: int | None = None
    walk: Walk | None = None
    history: History = History()
    log: tuple[LogEntry, ...] = ()
    paused: bool = False
    slow: bool = False
    news: News | None = None
    resident: int | None = None
    chosen: Category | None = None
    lesson: Lesson | None = None
    watched: Watched | None = None
    modules: Modules | None = None
    listing: Listing = Listing()
    shapes: ShapesSeen | None = None
    driver: DriverSum | None = None
    inside: Entering | None = None
    gpu_history: GpuHistory = GpuHistory()
    held_gpus: HeldGpus | None = None
    process_view: ProcessView = ProcessView()

    @property
    def gpu(self) -> Gpu | None:
        """The GPU that the program runs on, by NVML; None where NVML does not list it."""
        return self.where.gpu if self.where else None

    @property
    def where(self) -> Whereabouts | None:
        """That GPU, and the instance of it where it is split."""
        return find(self.gpus.gpus if self.gpus else (), self.device, self.pid)

    @property
    def place(self) -> int | None:
        """The place in the measured curve: the cursor's, or else that of the held boundary."""
        if self.cursor is not None or self.held is None:
            return self.cursor
        held = self.held
        found = moments.boundary(self.measured, held.phase, held.split, held.part)
        return found if held.alike else None

    @property
    def seen(self) -> Spot | HeldStep | None:
        """The moment that is shown: the cursor's or the held boundary; None for the peak."""
        if self.cursor is None or self.measured is None:
            return self.held
        return moments.spot(self.measured.anatomy, self.cursor)

    @property
    def listed(self) -> tuple[Category, ...]:
        """The categories that have a row."""
        return ALL_CATEGORIES if self.lesson is None else CATEGORIES

    @property
    def over(self) -> bool:
        """Whether the worker has failed or is gone."""
        return self.life in ("failed", "gone")
