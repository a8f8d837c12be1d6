"""What `--output` writes: one object for each process and device that was watched.

Sizes are bytes as asked for, times seconds.
"""

from __future__ import annotations

import msgspec

from .autopsy import Autopsy
from .driver import DriverSum
from .record import Input, Kind
from .report import Allocator, Growth, Held, Layer, Line, Peak, Phase, Split, WhatIf
from .shapes import Room, Shapes


class KindReport(msgspec.Struct, frozen=True, kw_only=True):
    """The steps of one kind, by the latest that was watched.

    `steps` have passed while somebody watched; None where nobody counts them, as in inference. The
    latest one took so many `seconds`. The other fields are those of `StepReport`.
    """

    kind: Kind
    inputs: tuple[Input, ...]
    steps: int | None
    seconds: float
    boundaries: dict[Phase, Split]
    high_water: Split
    peak: Peak
    allocator: Allocator | None
    unattributed: int | None


class ProgramReport(msgspec.Struct, frozen=True, kw_only=True):
    """A process on one device.

    The ranks are None outside a distributed training. `steps` have passed since the observer came,
    None where no optimizer steps; `watched` of them, or of the calls, were watched. `step_seconds`
    is the median of those that were not, None before there was one. Of the `seconds` for which
    somebody has watched, watching took `watching_seconds`, which is their `watching_share`. `kinds`
    begins with training, where the program trains. `phases`, `layers`, `lines`, `other` and
    `what_if` are those of the first kind. `out_of_memory` is the latest one, if there was any.
    `room` is an estimate. It is None on a CPU, where NVML does not tell what is free, and before
    two steps of training were watched. `growth` is what grows from step to step, None where nothing
    does, and on a CPU. `driver` is the driver's figure as a sum, at the end of the latest watched
    step of the first kind; None where it is not known, and on a CPU.
    """

    pid: int
    rank: int | None
    world_size: int | None
    local_rank: int | None
    host: str
    program: str
    device: str
    torch: str
    python: str
    steps: int | None
    watched: int
    step_seconds: float | None
    seconds: float
    watching_seconds: float
    watching_share: float
    phases: tuple[Phase, ...]
    kinds: tuple[KindReport, ...]
    layers: tuple[Layer, ...]
    lines: tuple[Line, ...] = ()
    other: tuple[Held, ...]
    what_if: tuple[WhatIf, ...] = ()
    out_of_memory: Autopsy | None
    shapes: Shapes = Shapes()
    room: Room | None = None
    growth: Growth | None = None
    driver: DriverSum | None = None
