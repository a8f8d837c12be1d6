"""The shapes of a program's steps in words."""

from __future__ import annotations

from collections.abc import Sequence

from vramtop.protocol.observed.record import Input
from vramtop.protocol.observed.shapes import LeftBehind, NewPeak, Room

from . import units


def inputs(inputs: Sequence[Input]) -> str:
    """Their dtypes and shapes: `float32 64 × 784, int64 64`."""
    shapes = (" × ".join(f"{side:,}" for side in each.shape) or "scalar" for each in inputs)
    both = zip((each.dtype for each in inputs), shapes, strict=True)
    return ", ".join(f"{dtype} {shape}" for dtype, shape in both) or units.NOTHING


def new_peak(peak: NewPeak) -> str:
    """`new peak 1.20 GiB at step 120: int64 8 × 4,096`."""
    at = "" if peak.step is None else f" at step {peak.step:,}"
    kind = " in inference" if peak.kind == "inference" else ""
    return f"new peak {units.size(peak.bytes)}{at}{kind}: {inputs(peak.inputs)}"


def room(room: Room) -> str:
    """`room for about 1,200 rows, now 16 (estimate; 32 proved)`."""
    if room.most_rows == room.rows:
        return f"room for no more than these {room.rows:,} rows (estimate)"
    proved = f"; {room.proved_rows:,} proved" if room.proved_rows is not None else ""
    return f"room for about {room.most_rows:,} rows, now {room.rows:,} (estimate{proved})"


def growth(room: Room) -> str:
    """What a row takes: `8.77 MiB a row of int64 16 × 128, measured from 8 to 16 rows`."""
    if room.fewer_rows is None:
        known = "if batch data, activations and temporaries grow with it"
    else:
        known = f"measured from {room.fewer_rows:,} to {room.rows:,} rows"
    return f"{units.size(room.bytes_per_row)} a row of {inputs(room.inputs)}, {known}"


def left_behind(left: LeftBehind) -> str:
    """What evaluations leave: `Over an evaluation other grew by +4.00 KiB.`"""
    times = "an evaluation" if left.measured == 1 else f"{left.measured:,} evaluations"
    grown = units.change(left.bytes) if left.bytes else "nothing"
    last = f", {units.change(left.latest)} of it over the last" if left.latest else ""
    return f"Over {times} other grew by {grown}{last if left.measured > 1 else ''}."
