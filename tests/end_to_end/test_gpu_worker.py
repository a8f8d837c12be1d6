"""The real worker process on a simulated GPU: its allocator is PyTorch's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from driver import MIB, Driver, training, unattributed
from vramtop.observer.workspaces import lt_bytes
from vramtop.protocol.commands import GiveBack
from vramtop.protocol.lesson.messages import (
    Configured,
    Evaluated,
    LessonMeasured,
    LessonSample,
)
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import Failed, Hello, Note
from vramtop.tui.gpus.holders import HolderBytes
from vramtop.tui.gpus.readings import Reader
from vramtop.tui.state.folding import fold
from vramtop.tui.state.lesson.folding import begun
from vramtop.tui.widgets.gpus.device_usage import usage

if TYPE_CHECKING:
    from simulation import Environment, SimulatedGpu

WORKSPACE = 64 * MIB + lt_bytes()
P = 407_080


CHANGES: tuple[dict[str, Any], ...] = (
    {"batch_size": 1024},
    {"optimizer": "sgd"},
    {"dataset": "cifar10"},
    {"batch_size": 3000},  # whose epochs end, with an evaluation, after every 17 steps
    {"hidden": 32},
    {"optimizer": "momentum"},
    {"dataset": "mnist"},
    {"batch_size": 6000},  # after every step
    {"optimizer": "adamw"},
    {"batch_size": 1},
    {"hidden": 512},
)


async def test_nothing_is_left_over_after_any_sequence_of_changes_and_evaluations(
    run_on: Callable[..., Environment],
) -> None:
    run_on(total=4 * 2**30)
    async with training(batch_size=600) as driver:
        measured = [await driver.settled()]
        await assert_times_and_evaluation(driver)
        for change in CHANGES:
            driver.change(**change)
            measured.append(await driver.settled(**change))
            if change == {"batch_size": 3000}:
                await assert_cache_is_given_back(driver, measured[-1])
    assert [set(unattributed(each).values()) for each in measured] == [{0}] * 12
    for each in measured:
        assert each.allocator is not None
        assert each.allocator.requested_peak - WORKSPACE == each.anatomy.peak.bytes
        assert each.allocator.reserved == each.allocator.end.allocated + each.allocator.cache


async def assert_times_and_evaluation(driver: Driver) -> None:
    """Samples have the time of steps, and an epoch's evaluation its peak."""
    sample = await driver.until(LessonSample, lambda sample: sample.step_seconds)
    evaluated = await driver.until(Evaluated)
    assert sample.step_seconds is not None
    assert sample.samples_per_second == pytest.approx(600 / sample.step_seconds)
    assert evaluated.peak is not None
    # Its own inputs, targets, and ReLU before and after; parameters and Adam's moments stay.
    assert evaluated.peak.total == 3 * P + 1000 * (3_136 + 8 + 1_024)


async def assert_cache_is_given_back(driver: Driver, measured: LessonMeasured) -> None:
    """A note says how much it was, and no more is reserved than that left."""
    driver.link.send(GiveBack(77))
    note = await driver.until(Note)
    left = await driver.until(LessonMeasured)
    cached = measured.allocator
    assert cached is not None
    assert left.allocator is not None
    freed = int(note.text.split()[0].replace(",", ""))
    assert note.text.endswith("B of cache given back")
    assert 0 < freed <= cached.cache + cached.reserved - left.allocator.end.allocated


async def test_a_training_on_a_mig_instance_has_that_instances_memory(
    simgpu: SimulatedGpu, run_on: Callable[..., Environment]
) -> None:
    half = "MIG-a053494d-4750-4055-8000-000000000002"  # the second instance of the first GPU
    machine = run_on(total=8 * 2**30, mig="0:2", visible=half)
    async with training() as driver:
        state = begun(Settings())
        for kind in (Hello, Configured):
            state = fold(state, await driver.until(kind))
        state = fold(state, await driver.until(LessonMeasured, lambda measured: measured.settled))
        with simgpu.nvml(machine):
            reader = Reader()
            by_nvml = usage(fold(state, reader.read()))
            refused = {"nvmlDeviceGetMemoryInfo": 3, "nvmlDeviceGetMemoryInfo_v2": 3}
            simgpu.control(machine, ",".join(f"{name}={code}" for name, code in refused.items()))
            by_cuda = usage(fold(state, reader.read()))
    assert by_nvml is not None
    assert (by_nvml.trouble, by_nvml.what) == ("", "in use")
    assert by_nvml.whole == 4 * 2**30
    assert HolderBytes("context", 510 * MIB) in by_nvml.parts
    assert by_cuda is not None
    assert by_cuda.what == "in use, says CUDA"
    assert (by_cuda.whole, by_cuda.used) == (by_nvml.whole, by_nvml.used)
    for memory in (by_nvml, by_cuda):
        assert sum(part.bytes for part in memory.parts) == memory.whole


async def test_a_full_gpu_is_reported_in_one_line(
    run_on: Callable[..., Environment],
) -> None:
    run_on(total=2**30)  # less than the driver and a context take
    async with training() as driver:
        failed = await driver.until(Failed)
    assert failed.error.startswith("cuda:0 has no room for the model: CUDA error: out of memory")
    assert len(failed.error.splitlines()) == 1
