"""Out of memory in PyTorch's own CUDA allocator, on a simulated GPU: what the worker reports."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from driver import MIB, Driver, training, unattributed
from vramtop.protocol.lesson.commands import Reset
from vramtop.protocol.lesson.messages import (
    Configured,
    Evaluated,
    LessonMeasured,
    LessonOutOfMemory,
    WouldFit,
)
from vramtop.protocol.lesson.settings import Settings

if TYPE_CHECKING:
    from simulation import Environment

GIB = 2**30
TAKEN = 1110 * MIB  # of a device by the driver and a context

# What is trained on a device with how many bytes, what is changed, and where that fails.
Case: TypeAlias = tuple[dict[str, Any], dict[str, Any], str, str]
SMALL: tuple[Case, ...] = (
    (
        {"optimizer": "sgd", "dataset": "cifar10"},
        {"batch_size": 6000},
        *("load", "aten._to_copy.default"),
    ),
    (
        {"optimizer": "sgd", "dataset": "cifar10"},
        {"hidden": 60_000},
        *("model", ""),
    ),
)
LARGE: tuple[Case, ...] = (
    (
        {"hidden": 8192, "budget": 250 * MIB},
        {"batch_size": 4096},
        *("forward", "aten.addmm.default"),
    ),
    (
        {"hidden": 60_000, "optimizer": "sgd"},
        {"batch_size": 6000},
        *("backward", "aten.threshold_backward.default"),
    ),
)
TIGHT: tuple[Case, ...] = (
    (
        {"hidden": 8192, "optimizer": "sgd", "batch_size": 512, "budget": 180 * MIB},
        {"optimizer": "adam"},
        *("optimizer", "aten.zeros_like.default"),
    ),
    (
        {"hidden": 8192, "optimizer": "sgd", "batch_size": 512, "budget": 180 * MIB},
        {"accumulation": 2, "batch_size": 1600},
        *("forward", "aten.relu.default"),
    ),
)
EVALUATED = {"hidden": 8192, "batch_size": 60, "optimizer": "sgd", "budget": 150 * MIB}


@pytest.mark.parametrize(
    ("total", "cases"), [(TAKEN + 120 * MIB, SMALL), (4 * GIB, TIGHT)], ids=["device", "budget"]
)
async def test_it_says_where_what_and_how_much_and_the_same_training_goes_on(
    run_on: Callable[..., Environment], total: int, cases: tuple[Case, ...]
) -> None:
    run_on(total=total, devices=1)
    async with training(**cases[0][0]) as driver:
        before = await driver.settled()
        for case in cases:
            await assert_out_of_memory(driver, before, case)


async def test_training_goes_on_too_where_others_were_trained_before_it(
    run_on: Callable[..., Environment],
) -> None:
    run_on(total=4 * GIB, devices=1)
    async with training(**EVALUATED) as driver:
        await assert_evaluation_goes_on_in_halves(driver)
        for number, case in enumerate(LARGE):
            begin = Settings(device="cuda:0", **case[0])
            driver.link.send(Reset(100 + number, begin))
            before = await driver.settled(**case[0])
            answer = await assert_out_of_memory(driver, before, case)
            if case[2] == "forward":
                # It fits whatever went before: a step that fails is taken again with all freed.
                driver.change(batch_size=answer.largest)
                await driver.settled(batch_size=answer.largest)


async def assert_out_of_memory(driver: Driver, before: LessonMeasured, case: Case) -> WouldFit:
    """Make this change; it fails in a real allocation, and what was trained before comes back."""
    begin, change, phase, operator = case
    driver.change(**change)
    # An evaluation in between may run out of memory too, and then goes on in smaller batches.
    short = await driver.until(LessonOutOfMemory, lambda failed: failed.phase != "evaluation")
    back = await driver.until(Configured)
    answer = await driver.until(WouldFit)
    after = await driver.until(LessonMeasured, lambda measured: measured.settled)
    assert (short.phase, short.operator) == (phase, operator)
    assert "CUDA out of memory" in short.detail
    assert short.wanted is not None
    assert short.free is not None
    assert short.needed is not None
    assert short.limit is not None
    assert short.wanted > short.free
    assert short.needed - short.wanted == short.limit - short.free  # what the allocator kept
    assert short.limit == begin.get("budget", short.limit)
    if phase != "model":
        # At that moment: the allocator kept all of it, cuBLAS's workspaces among it.
        assert 0 < short.split.total <= short.needed - short.wanted
        assert short.split.parameters == before.anatomy.boundaries["load"].parameters
    settings = Settings(device="cuda:0", **begin)
    assert short.restored == settings.batch_size
    assert back.settings == short.back == settings
    assert answer.settings == Settings(device="cuda:0", **begin | change)
    assert answer.largest is not None
    assert answer.largest < answer.settings.batch_size
    assert after.step > before.step
    assert after.anatomy.boundaries == before.anatomy.boundaries
    assert not {at: left for at, left in unattributed(after).items() if left}
    return answer


async def assert_evaluation_goes_on_in_halves(driver: Driver) -> None:
    """It tells what was wanted."""
    short = await driver.until(LessonOutOfMemory)
    await driver.until(Evaluated)
    assert (short.phase, short.batch_size, short.restored) == ("evaluation", 1000, 500)
    assert short.operator == "aten.relu.default"
    assert short.wanted == 32 * MIB  # 1,000 · 8,192 floats in whole 2 MiB
    assert short.free is not None
    assert short.free < short.wanted


@pytest.mark.parametrize(
    ("needs", "detail"),
    [
        ({"cublas": 80 * MIB}, "CUBLAS_STATUS_NOT_INITIALIZED"),
        ({"kernel": 30 * MIB}, "CUDA error: out of memory"),
    ],
)
async def test_a_library_that_has_no_room_on_a_full_gpu_is_reported_and_ends_nothing(
    run_on: Callable[..., Environment], needs: dict[str, int], detail: str
) -> None:
    run_on(total=TAKEN + 150 * MIB, devices=1, **needs)
    async with training() as driver:
        short = await driver.until(LessonOutOfMemory)
        assert (short.batch_size, short.restored) == (64, None)
        assert detail in short.detail
        driver.change(learning_rate=0.01)
        assert (await driver.until(Configured)).settings.learning_rate == 0.01
