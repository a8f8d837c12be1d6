"""The shapes of a program's steps, device by device, and the room by what NVML says is free."""

from __future__ import annotations

import time

import pytest
from msgspec.structs import replace
from recorded_program import STEPS
from said import BATCH, KEPT, OBSERVED, OLD, PROGRESS, WEIGHT, inference, training
from vramtop.protocol.observed.pools import Pool
from vramtop.protocol.observed.record import Input, WatchedStep
from vramtop.tui.programs.programs import Program
from vramtop.tui.programs.seen import SeenSteps

GIB, MIB = 2**30, 2**20
STEP = STEPS[-1]
WHOLE = WEIGHT + OLD + BATCH + KEPT
assert STEP.hardware is not None
UUID = f"GPU-{STEP.hardware.uuid}"
RESERVED = STEP.marks[-1].reserved
assert RESERVED is not None


def longer(step: WatchedStep) -> WatchedStep:
    """The same step with another shape."""
    return replace(step, inputs=(Input("float32", (5, 99)),))


def test_the_shapes_of_each_device_are_apart_and_a_wrong_record_is_left_out() -> None:
    shapes = SeenSteps()
    for step in (training(), longer(training(2)), inference(3), training(4, "cuda:1")):
        shapes.add(step, 7, {})
    shapes.add(replace(training(5), cut=1), 8, {})
    assert [(each.kind, each.watched, each.peak) for each in shapes.of("cuda:0").seen] == [
        ("training", 1, WHOLE), ("training", 1, WHOLE), ("inference", 1, WEIGHT + 70),
    ]  # fmt: skip
    assert [each.watched for each in shapes.of("cuda:1").seen] == [1]
    assert shapes.of("cpu").seen == ()


def available(shapes: SeenSteps) -> int | None:
    room = shapes.room(STEP.device)
    return None if room is None else room.available


def test_the_room_is_what_the_allocator_has_and_what_nobody_has() -> None:
    shapes = SeenSteps()
    for _ in range(2):
        shapes.add(STEP, 7, {UUID: 3 * GIB, "GPU-another": 5 * GIB})
    assert available(shapes) == RESERVED + 3 * GIB
    room = shapes.room(STEP.device)
    assert room is not None
    assert room.most_rows > room.rows == STEP.inputs[0].shape[0]


def test_of_a_program_that_has_just_ended_the_reading_before_counts() -> None:
    shapes = SeenSteps()
    shapes.add(STEP, 7, {UUID: 3 * GIB})
    assert available(shapes) is None  # it may have ended already
    shapes.add(STEP, 8, {UUID: 7 * GIB})
    assert available(shapes) == RESERVED + 3 * GIB
    shapes.add(STEP, 9, {UUID: 7 * GIB})  # another process has ended
    assert available(shapes) == RESERVED + 7 * GIB
    shapes.add(STEP, 10, {UUID: 2 * GIB})
    assert available(shapes) == RESERVED + 2 * GIB


def test_the_step_with_the_highest_peak_is_kept_for_the_estimate() -> None:
    shapes = SeenSteps()
    shapes.add(STEP, 7, {UUID: GIB})
    lower = replace(longer(training()), hardware=STEP.hardware)
    shapes.add(lower, 8, {UUID: GIB})
    room = shapes.room(STEP.device)
    assert room is not None
    assert (room.inputs, room.by) == (STEP.inputs, "proportion")


@pytest.mark.parametrize(
    ("step", "free"),
    [
        (STEP, {}),
        (STEP, {"GPU-another": GIB}),
        (training(device="cpu"), {UUID: GIB}),
        (replace(STEP, kind="inference"), {UUID: GIB}),
    ],
)
def test_there_is_no_room_where_nobody_knows_what_is_free(step: WatchedStep, free) -> None:
    shapes = SeenSteps()
    for _ in range(2):
        shapes.add(step, 7, free)
    assert shapes.room(step.device) is None
    assert shapes.of(step.device).seen


async def test_nvml_is_asked_what_is_free(nvml) -> None:
    nvml.has(devices=1, processes=f"5000001:0:{GIB}")
    program = Program(OBSERVED)
    await program.learn(STEP)
    await program.learn(STEP)
    assert available(program.seen) == RESERVED + 8 * GIB - 600 * MIB - GIB


async def test_nvml_is_asked_what_the_process_holds_until_the_allocators_figure_fits(nvml) -> None:
    outside = 510 * MIB
    nvml.has(devices=1, processes=f"{OBSERVED.pid}:0:{RESERVED + outside}")
    program = Program(OBSERVED)
    for _ in range(2):
        pool = Pool(STEP.device, UUID.removeprefix("GPU-"), RESERVED, 1)
        said = replace(PROGRESS, clock=time.monotonic(), pools=(pool,))
        program.add(said)
        await program.learn(said)
    program.add(STEP)
    (report,) = program.reports()
    assert report.driver is not None
    assert (report.driver.by, report.driver.bytes) == ("process", RESERVED + outside)
    assert sum(report.driver.terms.values()) == RESERVED + outside


def test_the_report_has_shapes_and_room_of_its_device() -> None:
    program = Program(OBSERVED)
    for step in (STEP, longer(STEP), STEP):
        program.add(step)
        program.seen.add(step, 7, {UUID: GIB})
    (report,) = program.reports()
    assert report.shapes == program.seen.of(STEP.device)
    assert len(report.shapes.seen) == 2
    assert report.room is not None
    assert report.room == program.seen.room(STEP.device)
