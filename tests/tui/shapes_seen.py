"""What the shapes of an invented program's steps took."""

from __future__ import annotations

from vramtop.protocol.observed.record import Input, Kind
from vramtop.protocol.observed.shapes import NewPeak, Room, Shape, Shapes
from vramtop.tui.worker.link import ShapesSeen

MIB = 2**20


def row(kind: Kind, shape: tuple[int, ...], watched: int, mib: int, seconds: float) -> Shape:
    return Shape(
        kind=kind, inputs=(Input("int64", shape),), watched=watched, peak=mib * MIB,
        latest_peak=mib * MIB, seconds=seconds, first_step=3, peak_step=120,
    )  # fmt: skip


ROWS = (
    row("training", (16, 256), 41, 1741, 0.0381),
    row("training", (16, 192), 63, 1388, 0.0292),
    row("training", (16, 128), 97, 1012, 0.0203),
    row("inference", (64, 256), 12, 655, 0.0091),
    *(row("training", (16, length), 9, length * 7, 0.0101) for length in range(80, 8, -8)),
)
LAST = ROWS[0]
SEEN = ShapesSeen(
    Shapes(
        seen=ROWS,
        unlisted=7,
        peaks=(NewPeak(kind="training", inputs=LAST.inputs, bytes=LAST.peak, step=120),),
    ),
    Room(
        inputs=LAST.inputs, rows=16, most_rows=74, bytes_per_row=105 * MIB, by="proportion",
        fewer_rows=None, available=8 * 2**30, proved_rows=24,
    ),
)  # fmt: skip
