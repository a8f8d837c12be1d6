"""What an observer says of a small training, and of calls without one."""

from __future__ import annotations

import msgspec
from vramtop.protocol.observed.record import (
    VERSION,
    Block,
    Events,
    Input,
    Mark,
    Module,
    Name,
    Observed,
    OutOfMemory,
    Progress,
    Segment,
    Sighting,
    WatchedStep,
)

WEIGHT, BATCH, KEPT, OLD = 1000, 100, 300, 50

OBSERVED = Observed(
    version=VERSION,
    pid=4711,
    host="node",
    program="train.py",
    arguments=("python", "train.py"),
    python="3.12.3",
    torch="2.11.0",
    since_start=True,
)
PROGRESS = Progress(
    steps=1204, watched=24, step_seconds=0.0098, seconds=100.0, watching_seconds=0.42
)


def rank(number: int, of: int = 2) -> Observed:
    return msgspec.structs.replace(
        OBSERVED, pid=4711 + number, rank=number, world_size=of, local_rank=number
    )


def training(
    number: int = 1, device: str = "cuda:0", kept: int = KEPT, old: int = OLD
) -> WatchedStep:
    """Two equal steps; each makes a batch and an activation, whose bytes are the peak's.

    So many bytes in no category are `old`er.
    """
    events: list[tuple[int, int, int, int]] = []
    marks: list[Mark] = []
    held = WEIGHT + old

    def mark(kind: str) -> None:
        figures = (held, held + 512, held + 2048) if device != "cpu" else (None, None, None)
        marks.append(Mark(len(events), kind, *figures))

    def event(address: int, size: int, line: int = -1, module: int = -1) -> None:
        nonlocal held
        held += size
        events.append((address, size, line, module))

    sightings = []
    for _ in range(2):
        mark("period")
        event(1 << 20, BATCH, 0)
        mark("call")
        sightings.append(Sighting(len(events), 1 << 20, "batch_data", 1))
        event(2 << 20, kept, 1, 0)
        mark("call_end")
        mark("backward")
        event(2 << 20, -kept)
        mark("backward_end")
        mark("optimizer")
        mark("optimizer_end")
        event(1 << 20, -BATCH)
    cut = len(events) // 2
    mark("period")
    sightings.append(Sighting(len(events), 3 << 20, "parameters", 0))
    addresses, sizes, lines, modules = zip(*events, strict=True)
    return WatchedStep(
        number=number,
        device=device,
        kind="training",
        source="operators" if device == "cpu" else "trace",
        cut=cut,
        seconds=0.1,
        inputs=(Input("float32", (5, 5)), Input("int64", (5,))),
        marks=tuple(marks),
        events=Events(addresses=addresses, sizes=sizes, lines=lines, modules=modules),
        blocks=((3 << 20, WEIGHT), (4 << 20, old)),
        block_lines=(-1, 2),
        sightings=tuple(sightings),
        names=(
            Name("fc.weight", (10, 25), "float32", 4, trained=True),
            Name("inputs[0]", (5, 5), "float32", 4),
        ),
        lines=("train.py:7", "train.py:9", "train.py:3"),
        modules=(Module("fc", "Linear"),),
        optimizer="SGD",
    )


def inference(number: int = 2, device: str = "cuda:0") -> WatchedStep:
    """Two calls that hold what they make until they end."""
    events = ((1 << 20, 70, 0, 0), (1 << 20, -70, -1, -1)) * 2
    addresses, sizes, lines, modules = zip(*events, strict=True)
    marks: list[Mark] = []
    for place, kind in (
        (0, "period"), (0, "call"), (1, "call_end"),
        (2, "period"), (2, "call"), (3, "call_end"), (4, "period"),
    ):  # fmt: skip
        held = WEIGHT + 70 * (place % 2)
        marks.append(Mark(place, kind, held, held, held))
    return WatchedStep(
        number=number,
        device=device,
        kind="inference",
        source="trace",
        cut=2,
        seconds=0.1,
        inputs=(Input("float32", (1, 5)),),
        marks=tuple(marks),
        events=Events(addresses=addresses, sizes=sizes, lines=lines, modules=modules),
        blocks=((3 << 20, WEIGHT),),
        sightings=(Sighting(4, 3 << 20, "parameters", 0),),
        names=(Name("fc.weight", (10, 25), "float32", 4, trained=True),),
        lines=("eval.py:5",),
        modules=(Module("fc", "Linear"),),
    )


def denied(count: int = 1, device: str = "cuda:0") -> OutOfMemory:
    """A forward wanted 96 MiB. 64 MiB are free in two segments, of which an activation pins one."""
    mib = 2**20
    return OutOfMemory(
        device=device,
        count=count,
        wanted=96 * mib,
        free=20 * mib,
        limit=800 * mib,
        device_free=20 * mib,
        device_total=800 * mib,
        reserved=400 * mib,
        requested=336 * mib,
        parameters=16 * mib,
        gradients=0,
        optimizer_state=32 * mib,
        line="train.py:9",
        phase="forward",
        module=Module("encoder.1", "Linear"),
        steps=1204,
        inputs=(Input("float32", (64, 784)),),
        segments=(
            Segment(64 * mib, 0, "large", False, False),
            Segment(336 * mib, 0, "large", False, False),
        ),
        blocks=(
            Block(0, 1 << 20, 16 * mib, 16 * mib, 0),
            Block(0, 2 << 20, 48 * mib, 0, -1),
            Block(1, 3 << 20, 16 * mib, 0, -1),
            Block(1, 4 << 20, 320 * mib, 320 * mib, -1),
        ),
        sightings=(Sighting(0, 4 << 20, "parameters", 0),),
        names=(Name("embedding.weight", (80, 2**20), "float32", 4, trained=True),),
        lines=("model.py:12",),
    )
