"""`vramtop fit` and `estimate` on a simulated GPU, whose allocator is PyTorch's own."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from command import VRAMTOP

if TYPE_CHECKING:
    from simulation import Environment

MIB = 2**20


def vramtop(machine: Environment, *arguments: str) -> Any:
    command = [VRAMTOP, *arguments, "--device", "cuda", "--format", "json"]
    return json.loads(subprocess.run(command, capture_output=True, check=True, env=machine).stdout)


@pytest.mark.parametrize(
    ("budget", "dataset"), [(90, ""), (90, "--dataset cifar10"), (130, "--dataset cifar10")]
)
def test_the_largest_batch_within_what_the_allocator_may_take(
    machine: Environment, budget: int, dataset: str
) -> None:
    found = vramtop(machine, "fit", "--vram", f"{budget}MiB", *dataset.split())
    assert found["peak_at_max"] <= budget * MIB < found["peak_beyond"]
    # Two steps in each of three orders, and no order in which one image more fits is looked for.
    assert (found["trial_steps"], found["oom_trials"], found["orders"]) == (7, 1, 3)


def test_a_smaller_size_that_fragments_memory_is_listed_and_not_tried(
    machine: Environment,
) -> None:
    # At 2,048 images an array of the hidden layer is 1 MiB: one more segment for small ones.
    found = vramtop(machine, "fit", "--vram", "88MiB")
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
