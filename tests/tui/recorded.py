"""A recorded step of eleven moments, for tests of the walk and the cursor."""

from __future__ import annotations

import msgspec
from made import measured
from vramtop.protocol.lesson.messages import LessonMeasured, LessonSample
from vramtop.protocol.messages import Flow
from vramtop.protocol.split import Anatomy, Moment, Peak, Phase, Split

ROWS = 64
OPERATORS = ("", "batch", "aten.relu.default", "aten._log_softmax.default", "aten.mm.default")
OPERATORS += ("aten.div.Tensor",)
LOSS = 3
# Parameters, gradients, optimizer state, batch data, activations, temporaries; in KiB.
_CURVE: tuple[tuple[Phase, tuple[int, ...], int], ...] = (
    ("load", (40, 0, 80, 0, 0, 0), 0),
    ("load", (40, 0, 80, 20, 0, 0), 1),
    ("forward", (40, 0, 80, 20, 30, 0), 2),
    ("forward", (40, 0, 80, 20, 34, 0), 3),
    ("backward", (40, 0, 80, 20, 34, 30), 4),
    ("backward", (40, 4, 80, 20, 34, 30), 4),
    ("backward", (40, 4, 80, 20, 4, 0), 0),
    ("backward", (40, 40, 80, 20, 4, 0), 4),
    ("optimizer", (40, 40, 80, 20, 4, 80), 5),
    ("optimizer", (40, 40, 80, 20, 4, 0), 0),
    ("zero_grad", (40, 0, 80, 20, 4, 0), 0),
)
CURVE = tuple(
    Moment(phase, Split(*(1024 * size for size in sizes)), by) for phase, sizes, by in _CURVE
)
BOUNDARIES = {moment.phase: moment.split for moment in CURVE}
PEAK = 8
ANATOMY = Anatomy(
    BOUNDARIES,
    Split(*(1024 * size for size in (40, 40, 80, 20, 34, 80))),
    Peak(CURVE[PEAK].split.total, "optimizer", "aten.div.Tensor", CURVE[PEAK].split),
    CURVE,
    OPERATORS,
    LOSS,
)
RECORDED: LessonMeasured = msgspec.structs.replace(measured(ROWS), anatomy=ANATOMY)
PAUSED, SLOW, GOES = Flow(True, False), Flow(False, True), Flow(False, False)


def held(phase: Phase, *, rows: int = ROWS, split: Split | None = None) -> LessonSample:
    """A sample of a step that is held at the end of this phase."""
    here = split or BOUNDARIES[phase]
    return LessonSample(
        step=11,
        epoch=1,
        position=704,
        images=704,
        batch_size=rows,
        loss=0.5,
        phase=phase,
        split=here,
        step_seconds=1e-3,
        samples_per_second=64e3,
        resident=2**29,
    )
