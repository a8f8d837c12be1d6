"""`vramtop fit` and `estimate` on a simulated GPU, whose allocator is PyTorch's own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from command import VRAMTOP
from driver import MIB, training
from vramtop.protocol.lesson.commands import FindLargest, Reset
from vramtop.protocol.lesson.messages import SearchEnded
from vramtop.protocol.lesson.settings import Settings

if TYPE_CHECKING:
    from simulation import Environment


def vramtop(machine: Environment, *arguments: str) -> Any:
    command = [VRAMTOP, *arguments, "--device", "cuda", "--format", "json"]
    return json.loads(subprocess.run(command, capture_output=True, check=True, env=machine).stdout)


async def test_the_largest_batch_within_what_the_allocator_may_take(
    run_on: Callable[..., Environment],
) -> None:
    run_on(total=4 * 2**30, devices=1)
    many = [(90, "mnist"), (90, "cifar10"), (130, "cifar10")]
    trained = [Settings(device="cuda:0", budget=size * MIB, dataset=name) for size, name in many]
    async with training(budget=90 * MIB) as driver:
        for number, settings in enumerate(trained):
            driver.link.send(Reset(number, settings))
            driver.link.send(FindLargest(number))
            found = (await driver.until(SearchEnded)).found
            assert found is not None
            assert found.peak_beyond is not None
            assert found.peak_at_max <= settings.budget == found.budget < found.peak_beyond
            # Two steps in each of three orders, and no order in which one image more fits.
            assert (found.trial_steps, found.oom_trials, found.orders) == (7, 1, 3)


def test_a_smaller_size_that_fragments_memory_is_listed_and_not_tried(
    machine: Environment,
) -> None:
    # At 2,048 images an array of the hidden layer is 1 MiB: one more segment for small ones.
    found = vramtop(machine, "fit", "--vram", "88MiB")
    assert found["peak_at_max"] <= 88 * MIB < found["peak_beyond"]
    assert found["no_room"] == [2048]
    assert found["max_batch_size"] > 2048
    assert 2048 not in [speed["batch_size"] for speed in found["speeds"]]
    assert found["oom_trials"] == 1


def test_an_estimate_on_a_gpu_has_its_allocators_figures(machine: Environment) -> None:
    (row,) = vramtop(machine, "estimate", "--batch-size", "4096")
    memory = row["allocator"]
    assert memory["workspace"] == 64 * MIB
    assert memory["requested_peak"] - memory["workspace"] == row["peak"]["bytes"]
    assert memory["requested_peak"] < memory["allocated_peak"] <= memory["reserved"]
