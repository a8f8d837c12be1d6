"""What the shapes of an invented program's steps took: the recorded one, had it more of them."""

from __future__ import annotations

from msgspec.structs import replace
from recorded_program import REPORT, STEPS
from vramtop.accounting.program.room import RoomEstimate
from vramtop.protocol.observed.record import Input, Kind
from vramtop.protocol.observed.shapes import NewPeak, Shape, Shapes
from vramtop.tui.worker.link import ShapesSeen

MIB = 2**20
AVAILABLE = 7080 * MIB  # of 8 GiB


def row(kind: Kind, shape: tuple[int, ...], watched: int, peak: int, seconds: float) -> Shape:
    return Shape(
        kind=kind, inputs=(Input("int64", shape),), watched=watched, peak=peak,
        latest_peak=peak, seconds=seconds, first_step=3, peak_step=120,
    )  # fmt: skip


ROWS = (
    row("training", (16, 128), 41, REPORT.peak.bytes, 0.0202),
    row("training", (16, 96), 63, 157 * MIB, 0.0158),
    row("training", (16, 64), 97, 121 * MIB, 0.0112),
    row("inference", (64, 128), 12, 94 * MIB, 0.0052),
    *(row("training", (16, length), 9, (48 + length) * MIB, 0.0087) for length in range(45, 0, -5)),
)
LAST = ROWS[0]
_estimate = RoomEstimate()
_estimate.add(STEPS[-1], REPORT.peak.bytes, AVAILABLE)
assert _estimate.room is not None
SEEN = ShapesSeen(
    Shapes(
        seen=ROWS,
        unlisted=7,
        peaks=(NewPeak(kind="training", inputs=LAST.inputs, bytes=LAST.peak, step=120),),
    ),
    replace(_estimate.room, proved_rows=24),
)
