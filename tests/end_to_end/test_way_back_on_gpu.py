"""Batch sizes that come back after an out of memory, on a simulated GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from driver import MIB, training
from vramtop.protocol.lesson.commands import FindLargest, Reset
from vramtop.protocol.lesson.messages import (
    LessonMeasured,
    LessonOutOfMemory,
    LessonSample,
    SearchEnded,
    WouldFit,
)
from vramtop.protocol.lesson.settings import Settings

if TYPE_CHECKING:
    from simulation import Environment

BUDGET = 100 * MIB


@pytest.fixture(autouse=True)
def one_gpu(run_on: Callable[..., Environment]) -> None:
    run_on(total=4 * 2**30, devices=1)


async def test_settings_that_worked_come_back_and_a_search_says_what_was_predicted() -> None:
    """A batch of 4,250 fits only as a training's first size: the hard case.

    A batch of 4,249 can be grown into, and comes back too.
    """
    async with training(batch_size=4250, budget=BUDGET) as driver:
        await driver.until(LessonSample, lambda sample: sample.step > 10)
        driver.change(batch_size=6000)
        short = await driver.until(LessonOutOfMemory)
        assert (short.batch_size, short.restored) == (6000, 4250)
        back = await driver.settled(batch_size=4250)
        assert (back.batch_size, back.step > 10) == (4250, True)
        driver.change(batch_size=6000)
        answer = await driver.until(WouldFit)
        await driver.until(LessonMeasured, lambda measured: measured.settled)
        driver.link.send(FindLargest(99))
        found = (await driver.until(SearchEnded)).found
        assert found is not None
        assert (found.max_batch_size, found.at_best) == (answer.largest, answer.at_best)
        assert found.max_batch_size < 4250 < (found.at_best or 0)
        assert found.orders == 3
        again = await driver.until(LessonMeasured, lambda measured: measured.settled)
        assert again.batch_size == 4250
        # What is guaranteed fits after all of this, too.
        driver.change(batch_size=found.max_batch_size)
        settled = await driver.settled(batch_size=found.max_batch_size)
        assert settled.batch_size == found.max_batch_size

        driver.link.send(Reset(100, Settings(device="cuda:0", budget=BUDGET)))
        await driver.settled(batch_size=64)
        driver.change(batch_size=4249)
        await driver.settled(batch_size=4249)
        driver.change(batch_size=6000)
        assert (await driver.until(LessonOutOfMemory)).restored == 4249
        assert (await driver.settled(batch_size=4249)).batch_size == 4249
